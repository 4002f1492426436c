"""EASE: item-item weights in closed form, the linear yardstick that is hard to beat; no training, no randomness.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019), with the dropout of EDLAE (Steck 2020) and the user
weights of DAN (Park et al., 2025); above ``dense_items`` the sparse form of Steck's "Markov Random Fields" (2019).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.linear.closed_form import STAGES, closed_form
from recsys.linear.local import local_weights
from recsys.models.checks import check_matrix, check_rows, in_range
from recsys.models.space import Range
from recsys.recommender import FitOptions, Progress, State


@dataclass(frozen=True)
class EASEConfig:
    """l2: pull of the weights to zero, in interactions. dropout: share of every history that the weights learn to do
    without. user_exponent: how much less a long history counts (0: not; 1/2: all users count the same in all).
    The published EASE is l2 of 200 to 1,000 with both others at 0.

    dense_items: catalogues up to here get a dense matrix of n_items^2 float32 numbers (45,000: 8 GB); above, every item
    is made from its ``neighbours`` most alike items only. recency: of the histories asked about (`recsys.recency`).

    The defaults were chosen on validation users of MovieLens 100K, 1M and latest-small, with an eye on Gowalla's.
    """

    l2: float = 150.0
    dropout: float = 0.5
    user_exponent: float = 0.25
    dense_items: int = 45_000
    neighbours: int = 100
    recency: float = 0.0

    def __post_init__(self) -> None:
        in_range("l2", self.l2, 1e-6)
        in_range("dropout", self.dropout, 0, 0.99)
        in_range("user_exponent", self.user_exponent, 0, 1)
        in_range("dense_items", self.dense_items, 0, 46_340, whole=True)  # LAPACK counts n_items^2 in 31 bits
        in_range("neighbours", self.neighbours, 1, 1000, whole=True)
        in_range("recency", self.recency, 0, 10)


class EASE:
    """score[u] = x_u B: B of ``recsys.linear.closed_form``, or of ``recsys.linear.local`` for a large catalogue."""

    name = "ease"
    Config = EASEConfig
    space = {
        "l2": Range(5.0, 2000.0, log=True),
        "dropout": Range(0.0, 0.8),
        "user_exponent": Range(0.0, 0.5),
        "recency": Range(0.0, 1.5),
    }

    def __init__(self, config: EASEConfig | None = None) -> None:
        self.config = config or EASEConfig()
        self._weights: np.ndarray | csr_matrix | None = None  # (n_items, n_items) float32

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        check_matrix(matrix)
        c, teller = self.config, _Teller(options)
        if matrix.shape[1] <= c.dense_items:
            self._weights = closed_form(matrix, c.l2, c.dropout, c.user_exponent, teller.stage).weights
        else:
            self._weights = local_weights(matrix, c.neighbours, c.l2, c.dropout, c.user_exponent, teller.piece)
        return self

    def score(self, rows: csr_matrix) -> np.ndarray:
        check_rows(rows, None if self._weights is None else self._weights.shape[0])
        scores = rows.astype(np.float32, copy=False) @ self._weights
        return scores if isinstance(scores, np.ndarray) else scores.toarray()

    def item_vectors(self) -> np.ndarray | None:
        """None: what EASE knows of alike items is a number a pair. A history of one item, scored, tells them."""
        return None

    def state(self) -> State:
        match self._weights:
            case None:
                return {}
            case np.ndarray():
                return {"weights": self._weights}
            case sparse:
                return {"indptr": sparse.indptr, "indices": sparse.indices, "data": sparse.data}

    def restore(self, state: State) -> Self:
        if "weights" in state:
            self._weights = state["weights"]
        else:
            n_items = len(state["indptr"]) - 1
            weights = csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(n_items, n_items))
            weights.check_format(full_check=True)  # scipy reads and writes wherever a wrong index points
            self._weights = weights
        return self


class _Teller:
    """Turns stages of the closed form, and pieces of the sparse one, into Progress."""

    def __init__(self, options: FitOptions) -> None:
        self.tell, self.started = options.on_progress, time.perf_counter()
        self.last = self.started

    def stage(self, done: int) -> None:
        now = time.perf_counter()
        taken, self.last = now - self.last, now
        # To factorize is a third of the arithmetic, to invert the rest; what comes before and after hardly counts.
        self._progress(done, STAGES, {2: 2.8 * taken, STAGES: 0.0}.get(done))

    def piece(self, done: int, of: int) -> None:
        self._progress(done, of, (time.perf_counter() - self.started) / done * (of - done))

    def _progress(self, step: int, steps: int, left: float | None) -> None:
        if self.tell is not None:
            self.tell(Progress(step, steps, None, "", None, None, time.perf_counter() - self.started, left))
