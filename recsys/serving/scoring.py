"""BatchedScorer: histories that threads ask about at the same moment are scored in one matrix product.

A pass over an item table costs about as much for many rows as for one. Whoever comes first scores at once; who comes
while that runs waits and is scored together with all others who wait.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.linear.products import AT_ONCE
from recsys.recommender import Recommender


@dataclass(eq=False, slots=True)
class _Caller:
    """One row, and what became of it. turn: held until there are scores or an error, or it is this caller's turn."""

    row: csr_matrix
    turn: threading.Lock = field(default_factory=threading.Lock)
    scores: np.ndarray | None = None
    error: BaseException | None = None


class BatchedScorer:
    """Safe to share between threads; rows for different models are never put together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Recommender, deque[_Caller]] = {}  # a model is in it while somebody scores with it

    def score(self, model: Recommender, row: csr_matrix) -> np.ndarray:
        """(n_items,) float32 for a (1, n_items) history, new: the caller may change it.

        The same numbers as ``model.score(row)[0]``, bit by bit, for every model here. An error of the model is raised
        for every row of its batch.
        """
        if row.shape[0] != 1:
            raise SettingError(f"one history is scored here, not {row.shape[0]} rows")
        me = _Caller(row)
        with self._lock:
            waiting = self._waiting.get(model)
            if waiting is None:
                self._waiting[model] = deque()
            else:
                me.turn.acquire()
                waiting.append(me)
        if waiting is not None:
            me.turn.acquire()  # until another thread scored this row, or hands the turn on
        if me.scores is None and me.error is None:
            self._lead(model, me)
        if me.error is not None:
            raise me.error
        assert me.scores is not None
        return me.scores

    def _lead(self, model: Recommender, me: _Caller) -> None:
        """Score this row and those that wait, then hand the turn to who came meanwhile."""
        with self._lock:
            waiting = self._waiting[model]
            batch = [me, *(waiting.popleft() for _ in range(min(len(waiting), AT_ONCE - 1)))]
        try:
            scores = model.score(_together([caller.row for caller in batch]))
            for caller, of_row in zip(batch, scores, strict=True):
                caller.scores = of_row
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            for caller in batch:
                caller.error = error
            raise
        finally:
            with self._lock:
                if waiting:
                    waiting.popleft().turn.release()
                else:
                    del self._waiting[model]
            for caller in batch[1:]:
                caller.turn.release()


def _together(rows: list[csr_matrix]) -> csr_matrix:
    """(rows, n_items) CSR of rows of one width; without scipy's ``vstack``, which takes ten times as long."""
    if len(rows) == 1:
        return rows[0]
    if len({row.shape[1] for row in rows}) > 1:
        raise SettingError("histories of different catalogues came for one model")
    indptr = np.zeros(len(rows) + 1, dtype=np.int32)
    np.cumsum([row.nnz for row in rows], out=indptr[1:])
    data, indices = (np.concatenate([getattr(row, name) for row in rows]) for name in ("data", "indices"))
    return csr_matrix((data, indices, indptr), shape=(len(rows), rows[0].shape[1]))
