"""evaluate: every held-out user's full-catalogue ranking by one model, and its worth in every metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import keys
from recsys.evaluation.beyond import About
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.metrics import check_known, metric
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import Interval
from recsys.recency import as_asked
from recsys.recommender import Recommender, top_n

MOST_SCORES = 8 * 2**20  # users x items scored at once: 32 MB of float32
LONGEST_KEPT = 100

Score = Callable[[csr_matrix, np.ndarray | None], np.ndarray]  # histories, when each entry occurred -> (rows, n_items)


@dataclass(frozen=True, eq=False)
class PerUser:
    """One model's results, rows in the order of ``split.users``.

    values: metric -> (n_users,) float64, NaN where it says nothing of a user. lists: (n_users, min(100, n_items)) int32
    best columns, -1 where there are fewer; scores: theirs, float32. score_seconds: time spent in ``score``; ties: share
    of neighbours in the lists with equal scores. totals: metric of all lists together -> its value and interval.
    not_finite: users with a NaN among their scores, or with no finite score.
    """

    values: dict[str, np.ndarray]
    lists: np.ndarray
    scores: np.ndarray
    score_seconds: float
    ties: float
    totals: Mapping[str, Interval] = field(default_factory=dict)
    not_finite: int = 0


def evaluate(
    model: Recommender,
    split: Split,
    metrics: Sequence[str],
    batch: int | None = None,
    catalogue: Catalogue | None = None,
) -> PerUser:
    """Rank all items for every user of the split, what they gave left out, and compute the metrics.

    batch: users scored at once; by default as many as fit 8 million scores. catalogue: where categories come from; the
    SettingError of `recsys.evaluation.metrics.check_known` where a metric needs what it does not hold.
    """
    return evaluate_scores(
        lambda rows, order: model.score(as_asked(model, rows, order)), split, metrics, batch, catalogue
    )


def evaluate_scores(
    score: Score,
    split: Split,
    metrics: Sequence[str],
    batch: int | None = None,
    catalogue: Catalogue | None = None,
) -> PerUser:
    """``evaluate`` of whatever gives scores, (rows, n_items) of the split's columns; -inf: not to be recommended."""
    check_known(metrics, catalogue)
    wanted = [metric(name) for name in metrics]
    of_hits, of_lists, of_all = ([one for one in wanted if one.known.kind == k] for k in ("hits", "list", "total"))
    about = About.of(split, catalogue)
    n_users, n_items = split.given.shape
    depth = min(n_items, max([one.k for one in wanted] + [LONGEST_KEPT]))
    kept = min(n_items, max([one.k for one in of_all] + [LONGEST_KEPT]))
    batch = batch or max(1, min(n_users, MOST_SCORES // n_items))
    values = {one.name: np.empty(n_users) for one in wanted if one not in of_all}
    lists = np.empty((n_users, kept), dtype=np.int32)
    best = np.empty((n_users, kept), dtype=np.float32)

    def judge(scores: np.ndarray, rows: slice) -> int:
        given, hidden = split.given[rows], split.hidden[rows]
        items, ranked = top_n(scores, given, depth)
        lists[rows], best[rows] = items[:, :kept], ranked[:, :kept]
        hits, relevant = hits_of(items, hidden), np.diff(hidden.indptr)
        for one in of_hits:
            values[one.name][rows] = one(hits, relevant)
        for one in of_lists:
            values[one.name][rows] = one.of_lists(items, given, about)
        return _not_finite(scores)

    seconds, not_finite, threads = 0.0, 0, _threads()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, n_users, batch):
            given = split.given[start : start + batch]
            ends = split.given.indptr[[start, start + given.shape[0]]]
            order = None if split.given_order is None else split.given_order[slice(*ends)]
            started = time.perf_counter()
            scores = score(given, order)
            seconds += time.perf_counter() - started
            step = -(-len(scores) // threads)
            parts = [slice(at, min(at + step, len(scores))) for at in range(0, len(scores), step)]
            rows = [slice(start + part.start, start + part.stop) for part in parts]
            not_finite += sum(pool.map(judge, [scores[part] for part in parts], rows))
    totals = {one.name: one.of_all(lists, about, split.seed) for one in of_all}
    lists, best = lists[:, :LONGEST_KEPT], best[:, :LONGEST_KEPT]
    return PerUser(values, lists, best, seconds, _tied(lists, best), totals, not_finite)


def _threads() -> int:
    """As many as BLAS would use, four at most: more have too few rows each."""
    from threadpoolctl import threadpool_info

    return min(4, max([one["num_threads"] for one in threadpool_info()], default=1))


def hits_of(items: np.ndarray, hidden: csr_matrix) -> np.ndarray:
    """(n, k) bool: is the item at this rank hidden from this user? -1 never is."""
    n, width = hidden.shape
    truth = np.sort(keys(hidden))
    asked = np.arange(n, dtype=np.int64)[:, None] * width + items
    hits = np.zeros(items.shape, dtype=bool)
    if len(truth):
        # Most of what is asked is not there. A table of the last bits of what is there, a 16th of it full at most, says
        # so at once; only the rest is looked up.
        last = 2 ** (4 + len(truth).bit_length()) - 1
        there = np.zeros(last + 1, dtype=bool)
        there[truth & last] = True
        maybe = there[asked & last] & (items >= 0)
        wanted = asked[maybe]
        place = np.minimum(np.searchsorted(truth, wanted), len(truth) - 1)
        hits[maybe] = truth[place] == wanted
    return hits


def _tied(lists: np.ndarray, scores: np.ndarray) -> float:
    """The share of neighbouring ranks, both filled, whose scores are equal."""
    both = lists[:, 1:] >= 0
    equal = (scores[:, 1:] == scores[:, :-1]) & both
    return float(equal.sum() / max(int(both.sum()), 1))


def _not_finite(scores: np.ndarray) -> int:
    """Rows with a NaN or without any finite number. A row whose sum is finite has neither."""
    with np.errstate(invalid="ignore", over="ignore"):
        odd = scores[~np.isfinite(scores.sum(axis=1))]
    return int((np.isnan(odd).any(axis=1) | ~np.isfinite(odd).any(axis=1)).sum())
