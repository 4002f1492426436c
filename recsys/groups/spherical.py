"""Spherical k-means: directions parted so that each lies near the mean direction of its cluster.

Dhillon and Modha, "Concept decompositions for large sparse text data using clustering" (2001); started as k-means++
(Arthur and Vassilvitskii, 2007, with their greedy choice), whose squared distance is 2 - 2 cosine between directions.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

ROUNDS = 50  # at most; it is over when no more than one in a thousand moves
_BATCH = 20_000  # rows multiplied at once


def directions(codes: np.ndarray, mean: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """((n, width) float32 unit rows, (width,) the mean taken off): where each code lies, seen from the average one.

    Codes are brought to unit length, the mean over everybody (or ``mean``) is subtracted, and what is left is brought
    to unit length again: most of a code says what everybody likes, and that parts nobody. A row that is the mean
    itself has no direction and stays zeros.
    """
    units = _unit(codes.astype(np.float32), 0.0)
    centre = units.mean(axis=0, dtype=np.float64).astype(np.float32) if mean is None else mean
    return _unit(units - centre, 1e-4), centre


def fit(points: np.ndarray, k: int, rng: np.random.Generator, restarts: int) -> np.ndarray:
    """(k, width) float32 unit centres, the best of several starts. points: (n, width) from ``directions``, n >= k."""
    best, most = np.empty((0, points.shape[1]), dtype=np.float32), -np.inf
    for _ in range(restarts):
        centres, total = _improved(points, _start(points, k, rng))
        if total > most:
            best, most = centres, total
    return best


def nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cluster (n,) int64, its cosine (n,) float32, the next best cluster (n,) int64, -1 where there is but one)."""
    n, k = len(points), len(centres)
    cluster, next_best = np.zeros(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    cosine = np.zeros(n, dtype=np.float32)
    for start in range(0, n, _BATCH):
        here = slice(start, start + _BATCH)
        similar = points[here] @ centres.T
        row = np.arange(len(similar))
        cluster[here] = similar.argmax(axis=1)
        cosine[here] = similar[row, cluster[here]]
        if k > 1:
            similar[row, cluster[here]] = -np.inf
            next_best[here] = similar.argmax(axis=1)
    return cluster, cosine, next_best


def members(cluster: np.ndarray, k: int) -> csr_matrix:
    """(k, n) CSR of ones: row g holds the people of group g; -1 is in none."""
    inside = np.flatnonzero(cluster >= 0)
    return csr_matrix((np.ones(len(inside), dtype=np.float32), (cluster[inside], inside)), shape=(k, len(cluster)))


def centres_of(points: np.ndarray, cluster: np.ndarray, k: int) -> np.ndarray:
    """(k, width) float32: the mean direction of each cluster, zeros for one without people."""
    return _unit(members(cluster, k) @ points, 1e-12)


def _start(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Greedy k-means++: each next centre is, of several people drawn with odds by their distance, the one who helps
    most."""
    chosen = [int(rng.integers(len(points)))]
    far = _distances(points, chosen)[0]
    while len(chosen) < k:
        total = far.sum()
        odds = far / total if total > 0 else None
        drawn = rng.choice(len(points), size=2 + int(np.log(k)), p=odds)
        left = np.minimum(far, _distances(points, drawn))
        best = int(left.sum(axis=1).argmin())
        chosen.append(int(drawn[best]))
        far = left[best]
    return points[chosen]


def _distances(points: np.ndarray, chosen: list[int] | np.ndarray) -> np.ndarray:
    """(len(chosen), n) float64: 1 - cosine to each of some people."""
    return np.maximum(1 - (points[chosen] @ points.T).astype(np.float64), 0)


def _improved(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, float]:
    k, before = len(centres), None
    for _ in range(ROUNDS):
        similar = points @ centres.T
        cluster = similar.argmax(axis=1)
        if before is not None and (cluster != before).sum() * 1000 <= len(points):
            break
        before = cluster
        empty = np.flatnonzero(np.bincount(cluster, minlength=k) == 0)
        if len(empty):  # a cluster nobody is nearest to starts again at one of those who fit worst
            cosine = similar.max(axis=1)
            cluster[np.argsort(cosine, kind="stable")[: len(empty)]] = empty
        centres = centres_of(points, cluster, k)
    return centres, float((points @ centres.T).max(axis=1).sum(dtype=np.float64))


def _unit(rows: np.ndarray, least: float) -> np.ndarray:
    """Rows of length 1; those no longer than ``least`` become zeros."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(length > least, rows / np.where(length > least, length, 1), 0).astype(np.float32)
