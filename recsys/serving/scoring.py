"""BatchedScorer: histories that threads ask about at the same moment are scored in one matrix product.

A pass over an item table costs about as much for many rows as for one. Whoever comes first scores at once; who comes
while that runs waits and is scored together with all others who wait. A pass also empties the processor's caches, and
the code that comes after it is slow until they are filled again: so one thread does for the whole batch what is to be
done with the scores, one after the other (docs/experiments.md).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.linear.products import AT_ONCE
from recsys.recommender import Recommender

Made = TypeVar("Made")


@dataclass(eq=False, slots=True)
class _Caller:
    """One row, and what became of it. turn: held until it is done, or it is this caller's turn. made: of the scores."""

    row: csr_matrix
    then: Callable[[np.ndarray], Any]
    turn: threading.Lock = field(default_factory=threading.Lock)
    done: bool = False
    made: Any = None
    error: BaseException | None = None

    def __enter__(self) -> None:
        """Done when the block ends; its error, if there is one, is for the thread that asked."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self.error, self.done = error, True
        return True


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
        return self.scored(model, row, np.asarray)

    def scored(self, model: Recommender, row: csr_matrix, then: Callable[[np.ndarray], Made]) -> Made:
        """``then(score(model, row))``, in whichever thread scores the batch: ``then`` must be quick, for the rest of it
        waits, and must not depend on the thread. Its error is raised for this row alone."""
        if row.shape[0] != 1:
            raise SettingError(f"one history is scored here, not {row.shape[0]} rows")
        me = _Caller(row, then)
        with self._lock:
            waiting = self._waiting.get(model)
            if waiting is None:
                self._waiting[model] = deque()
            else:
                me.turn.acquire()
                waiting.append(me)
        if waiting is not None:
            me.turn.acquire()  # until another thread is done with this row, or hands the turn on
        if not me.done:
            self._lead(model, me)
        if me.error is not None:
            raise me.error
        made: Made = me.made
        return made

    def _lead(self, model: Recommender, me: _Caller) -> None:
        """Score this row and those that wait, then hand the turn to who came meanwhile."""
        with self._lock:
            waiting = self._waiting[model]
            batch = [me, *(waiting.popleft() for _ in range(min(len(waiting), AT_ONCE - 1)))]
        try:
            scores = model.score(_together([caller.row for caller in batch]))
            for caller, of_row in zip(batch, scores, strict=True):
                with caller:
                    caller.made = caller.then(of_row)
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            for caller in batch:
                caller.error, caller.done = error, True
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
