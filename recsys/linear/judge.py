"""Judge: what scores are worth on held-out rows, user by user, so that two of them can be compared in pairs."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.evaluate import hits_of
from recsys.evaluation.metrics import metric_to_choose_by
from recsys.recency import faded, of_rows
from recsys.recommender import Holdout, top_n

_MOST_SCORES = 64 * 2**20  # rows x items judged: 256 MB of float32
_RECENCIES = (0.25, 0.5, 0.75, 1.0, 1.25)


class Judge:
    """One metric on a fixed sample of the rows of a holdout that hide something.

    rows: (n,) which rows of the holdout; given: (n, n_items) CSR, what to score. n is cut so that n x n_items stays
    below 64 million.
    """

    def __init__(self, holdout: Holdout, name: str, seed: int) -> None:
        self._metric = metric_to_choose_by(name)
        asked = np.flatnonzero(np.diff(holdout.hidden.indptr))
        most = max(1, _MOST_SCORES // holdout.given.shape[1])
        if len(asked) > most:
            asked = np.sort(np.random.default_rng(seed).choice(asked, most, replace=False))
        self.rows = asked
        self.given, self._hidden = holdout.given[asked], holdout.hidden[asked]
        self._order = of_rows(holdout.given, holdout.order, asked)

    def __len__(self) -> int:
        return self.given.shape[0]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """(n,) float64, one value a user, for (n, n_items) scores of ``given``."""
        items, _ = top_n(scores, self.given, min(self._metric.k, scores.shape[1]))
        return self._metric(hits_of(items, self._hidden), np.diff(self._hidden.indptr))

    def faded(self, recency: float) -> Judge:
        """The same questions about histories that are `recsys.recency.faded`."""
        other = copy.copy(self)
        other.given, other._order = faded(self.given, self._order, recency), None
        return other

    def recency(self, score: Callable[[csr_matrix], np.ndarray]) -> float:
        """How much histories are best faded for these scores; 0 where that is not clearly better, or no order known."""
        if self._order is None:
            return 0.0
        tried = {one: self(score(self.faded(one).given)) for one in _RECENCIES}
        best = max(tried, key=lambda one: float(tried[one].mean()))
        return best if clearly_better(tried[best], self(score(self.given)), errors=2.0) else 0.0


def clearly_better(a: np.ndarray, b: np.ndarray, errors: float = 1.0) -> bool:
    """Is a, user by user, better than b by more than so many standard errors of their mean difference?"""
    difference = a - b
    return bool(difference.mean() > errors * difference.std() / len(difference) ** 0.5)
