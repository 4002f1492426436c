"""Who belongs together: people parted by the direction of their codes, into as many groups as come out again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError, SettingError
from recsys.groups.agreement import adjusted_rand, silhouette
from recsys.groups.spherical import centres_of, directions, fit, members, nearest

FEWEST, MOST = 4, 20  # groups tried where no number is given
SMALLEST = 20  # people in a group, and SMALLEST_SHARE of everybody
SMALLEST_SHARE = 0.01
RESTARTS = 8
PAIRS = 6  # pairs of halves that a number of groups is tried on
SAMPLE = 20_000  # people the centres are learnt from
TRIED_ON = 6_000  # people the number of groups is chosen on


@dataclass(frozen=True, slots=True)
class Tried:
    """A number of groups, how far halves of the people agree on it (with its standard error), and its silhouette."""

    groups: int
    stability: float
    error: float
    silhouette: float


@dataclass(frozen=True, eq=False)
class Clusters:
    """n people in k groups, numbered from 0 by falling size.

    group: (n,) int64, -1 for an empty history. similarity: (n,) float32 cosine to the centre of it, NaN for those left
    out. runner_up: (n,) int64 next best group, -1 where there is none. centres: (k, width) float32 unit rows, mean:
    (width,), both as `recsys.groups.spherical.directions` sees codes. stability: mean adjusted Rand index between fits
    on two halves, None where there were too few people for a choice. tried: every number looked at. asked: the number
    asked for, None where it was chosen.
    """

    group: np.ndarray
    similarity: np.ndarray
    runner_up: np.ndarray
    centres: np.ndarray
    mean: np.ndarray
    stability: float | None
    silhouette: float
    tried: tuple[Tried, ...]
    asked: int | None

    @property
    def sizes(self) -> np.ndarray:
        """(k,) people in each group."""
        return np.bincount(self.group[self.group >= 0], minlength=len(self.centres))

    @property
    def left_out(self) -> int:
        """People without a history."""
        return int((self.group < 0).sum())

    def nearest(self, codes: np.ndarray) -> np.ndarray:
        """(m,) the group of other codes of the same model."""
        return nearest(directions(codes, self.mean)[0], self.centres)[0]


def find_groups(codes: np.ndarray, rows: csr_matrix, seed: int, n_groups: int | None = None) -> Clusters:
    """Part people by spherical k-means on where their codes lie, seen from the average code.

    codes: (n_users, width) from a model's ``encode(rows)``; rows: their histories. n_groups None: of FEWEST to MOST the
    number whose groups come out again best, when learnt on either of two halves of the people and given to all (mean
    adjusted Rand index over PAIRS splits); among numbers within a standard error of the best, the one with the highest
    silhouette. Groups of fewer than SMALLEST people or SMALLEST_SHARE of them are dissolved into the others, so there
    can be fewer than asked for. Above SAMPLE people the centres come from a sample, and everybody is assigned.
    SettingError for a number below 1, DataError for codes that are not finite, not one a row, or when all is empty.
    """
    if n_groups is not None and n_groups < 1:
        raise SettingError(f"the number of groups must be at least 1, not {n_groups}")
    if len(codes) != rows.shape[0]:
        raise DataError(f"{len(codes)} codes came with {rows.shape[0]} histories")
    if not np.isfinite(codes).all():
        raise DataError("some codes are not finite", do="look at how the model was trained")
    known = np.flatnonzero(rows.getnnz(axis=1) > 0)
    if not len(known):
        raise DataError("nobody has a history to be grouped by")
    points, mean = directions(codes[known])
    rng = np.random.default_rng(seed)
    sample = points if len(points) <= SAMPLE else points[np.sort(rng.choice(len(points), SAMPLE, replace=False))]
    smallest = max(SMALLEST, int(np.ceil(SMALLEST_SHARE * len(points))))
    room = max(1, len(points) // smallest)
    candidates = range(min(FEWEST, room), min(MOST, room) + 1) if n_groups is None else [min(n_groups, room)]
    tried = tuple(_tried(sample, k, seed) for k in candidates if k > 1)
    best = _chosen(tried)
    k = best.groups if best is not None else 1
    centres = _large_enough(points, fit(sample, k, rng, RESTARTS), smallest)
    cluster, cosine, next_best = nearest(points, centres)
    order = np.argsort(-np.bincount(cluster, minlength=len(centres)), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    group, runner_up = (np.full(len(codes), -1, dtype=np.int64) for _ in range(2))
    similarity = np.full(len(codes), np.nan, dtype=np.float32)
    group[known], similarity[known] = rank[cluster], cosine
    runner_up[known] = np.where(next_best >= 0, rank[next_best], -1)
    fits = silhouette(points, cluster, len(centres))
    stability = best.stability if best is not None else None
    return Clusters(group, similarity, runner_up, centres[order], mean, stability, fits, tried, n_groups)


def _tried(points: np.ndarray, k: int, seed: int) -> Tried:
    """One number of groups on the same splits as every other number."""
    agreed, clear = [], []
    few = points[:: max(1, -(-len(points) // TRIED_ON))]
    for pair in range(PAIRS):
        rng = np.random.default_rng([seed, pair])
        order = rng.permutation(len(few))
        halves = (order[: len(few) // 2], order[len(few) // 2 :])
        one, other = (nearest(few, fit(few[half], k, rng, 2))[0] for half in halves)
        agreed.append(adjusted_rand(one, other))
        clear.append(silhouette(few, one, k))
    return Tried(k, float(np.mean(agreed)), float(np.std(agreed, ddof=1) / np.sqrt(PAIRS)), float(np.mean(clear)))


def _chosen(tried: tuple[Tried, ...]) -> Tried | None:
    if not tried:
        return None
    best = max(tried, key=lambda one: one.stability)
    return max((one for one in tried if one.stability >= best.stability - best.error), key=lambda one: one.silhouette)


def _large_enough(points: np.ndarray, centres: np.ndarray, smallest: int) -> np.ndarray:
    """The centres left when the smallest group is dissolved, until every one has ``smallest`` people."""
    while len(centres) > 1:
        cluster = nearest(points, centres)[0]
        sizes = np.bincount(cluster, minlength=len(centres))
        if sizes.min() >= smallest:
            break
        kept = np.arange(len(centres)) != sizes.argmin()
        centres = centres[kept]
        centres = centres_of(points, nearest(points, centres)[0], len(centres))
        centres = centres[members(nearest(points, centres)[0], len(centres)).getnnz(axis=1) > 0]
    return centres
