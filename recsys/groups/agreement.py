"""How far two ways to part people agree, and how well one way parts them."""

from __future__ import annotations

import numpy as np

from recsys.groups.spherical import members


def adjusted_rand(a: np.ndarray, b: np.ndarray) -> float:
    """Adjusted Rand index of two partitions of the same n people: 1 the same, about 0 as by chance.

    Hubert and Arabie, "Comparing partitions" (1985), equation 5. a, b: (n,) integers of at least 0. Two partitions that
    are both everybody in one group, or both everybody alone, agree: 1.
    """
    counts = np.unique(a.astype(np.int64) * (int(b.max(initial=0)) + 1) + b, return_counts=True)[1]
    both = _pairs(counts)
    in_a, in_b = _pairs(np.bincount(a)), _pairs(np.bincount(b))
    every = _pairs(np.array([len(a)]))
    chance = in_a * in_b / every if every else 0.0
    most = (in_a + in_b) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def silhouette(points: np.ndarray, cluster: np.ndarray, k: int) -> float:
    """Mean silhouette with cosine distance over everybody (Rousseeuw 1987), between -1 and 1; 0 for a single group.

    points: (n, width) unit rows. The mean of 1 - x.y over the y of a cluster is 1 - x.mean(y), so nobody is compared
    with anybody. Who is alone in a cluster counts 0, as in the paper.
    """
    sizes = np.bincount(cluster, minlength=k)
    if (sizes > 0).sum() < 2:
        return 0.0
    sums = (members(cluster, k) @ points).astype(np.float64)
    total = 0.0
    for start in range(0, len(points), 20_000):
        x, own = points[start : start + 20_000].astype(np.float64), cluster[start : start + 20_000]
        row = np.arange(len(x))
        near = x @ sums.T
        itself = np.square(x).sum(axis=1)
        size = sizes[own]
        within = 1 - (near[row, own] - itself) / np.maximum(size - 1, 1)
        away = np.where(sizes > 0, 1 - near / np.maximum(sizes, 1), np.inf)
        away[row, own] = np.inf
        other = away.min(axis=1)
        largest = np.maximum(within, other)
        total += float(
            np.where((size > 1) & (largest > 0), (other - within) / np.where(largest > 0, largest, 1), 0).sum()
        )
    return total / len(points)


def _pairs(counts: np.ndarray) -> float:
    counts = counts.astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())
