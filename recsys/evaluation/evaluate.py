"""evaluate: every held-out user's full-catalogue ranking by one model, and its worth in every metric."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.metrics import metric
from recsys.evaluation.split import Split
from recsys.recency import as_asked
from recsys.recommender import Recommender, top_n

_MOST_SCORES = 8 * 2**20  # users x items scored at once: 32 MB of float32
_LONGEST_KEPT = 100


@dataclass(frozen=True, eq=False)
class PerUser:
    """One model's results, rows in the order of ``split.users``.

    values: metric -> (n_users,) float64. lists: (n_users, k) int32 best columns, -1 where there are fewer; scores:
    theirs, float32. score_seconds: time spent in ``score``; ties: share of neighbours in the lists with equal scores.
    """

    values: dict[str, np.ndarray]
    lists: np.ndarray
    scores: np.ndarray
    score_seconds: float
    ties: float


def evaluate(model: Recommender, split: Split, metrics: Sequence[str], batch: int | None = None) -> PerUser:
    """Rank all items for every user of the split, what they gave left out, and compute the metrics.

    batch: users scored at once; by default as many as fit 8 million scores.
    """
    wanted = [metric(name) for name in metrics]
    n_users, n_items = split.given.shape
    depth = min(n_items, max([one.k for one in wanted] + [1]))
    batch = batch or max(1, min(n_users, _MOST_SCORES // n_items))
    values = {one.name: np.empty(n_users) for one in wanted}
    lists = np.empty((n_users, min(depth, _LONGEST_KEPT)), dtype=np.int32)
    best = np.empty(lists.shape, dtype=np.float32)
    seconds = 0.0
    for start in range(0, n_users, batch):
        rows = slice(start, min(start + batch, n_users))
        given, hidden = split.given[rows], split.hidden[rows]
        order = None if split.given_order is None else split.given_order[slice(*split.given.indptr[[start, rows.stop]])]
        started = time.perf_counter()
        scores = model.score(as_asked(model, given, order))
        seconds += time.perf_counter() - started
        items, ranked = top_n(scores, given, depth)
        hits, relevant = hits_of(items, hidden), np.diff(hidden.indptr)
        for one in wanted:
            values[one.name][rows] = one(hits, relevant)
        lists[rows], best[rows] = items[:, : lists.shape[1]], ranked[:, : lists.shape[1]]
    return PerUser(values, lists, best, seconds, _tied(lists, best))


def hits_of(items: np.ndarray, hidden: csr_matrix) -> np.ndarray:
    """(n, k) bool: is the item at this rank hidden from this user? -1 never is."""
    n, width = hidden.shape
    row = np.repeat(np.arange(n, dtype=np.int64), np.diff(hidden.indptr))
    truth = np.sort(row * width + hidden.indices)
    asked = np.arange(n, dtype=np.int64)[:, None] * width + items
    place = np.minimum(np.searchsorted(truth, asked.ravel()), max(len(truth) - 1, 0)).reshape(items.shape)
    return (truth[place] == asked) & (items >= 0) if len(truth) else np.zeros(items.shape, dtype=bool)


def _tied(lists: np.ndarray, scores: np.ndarray) -> float:
    """The share of neighbouring ranks, both filled, whose scores are equal."""
    both = lists[:, 1:] >= 0
    equal = (scores[:, 1:] == scores[:, :-1]) & both
    return float(equal.sum() / max(int(both.sum()), 1))
