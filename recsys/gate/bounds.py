"""Bounds: how far a comparison may lie from the truth, at any level; a bootstrap would need millions of draws for some.

Every function gives a one-sided bound to each side: each misses the truth with probability ``level``, both together
with twice that. Student's t is exact for values that are normal and close for means of as many people as there are
here: the nearer the level to 0 the more it takes, and tests/recsys/gate/test_bounds.py counts the misses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

GROUPS = 50


class Bounds(NamedTuple):
    """value: the estimate; low, high: its one-sided bounds, infinite where nothing can be said. people: it is over."""

    value: float
    low: float
    high: float
    people: int

    @property
    def error(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2


def difference(values: np.ndarray, level: float) -> Bounds:
    """Of the mean of (n,) values, one a person, NaN for none: mean -+ t x s / sqrt(n), n - 1 degrees of freedom."""
    known = values[~np.isnan(values)]
    n = len(known)
    if n < 2:
        return Bounds(float(known.mean()) if n else np.nan, -np.inf, np.inf, n)
    return _around(float(known.mean()), float(known.std(ddof=1) / np.sqrt(n)), n - 1, level, n)


def ratio(challenger: np.ndarray, champion: np.ndarray, level: float) -> Bounds:
    """Of mean(challenger) / mean(champion) - 1, both of the same people: Fieller's interval (1954) for paired means.

    It holds the r for which challenger - r x champion has a mean that may be 0, so "above -margin" is exactly the
    paired t test of challenger - (1 - margin) x champion. Unbounded where the champion's mean itself may be 0.
    """
    known = ~(np.isnan(challenger) | np.isnan(champion))
    x, y, n = challenger[known], champion[known], int(known.sum())
    if n < 2 or y.mean() <= 0:
        return Bounds(np.nan, -np.inf, np.inf, n)
    if np.array_equal(x, y):
        return Bounds(0.0, 0.0, 0.0, n)
    (xx, xy), (_, yy) = np.cov(x, y) / n
    t2 = _t(n - 1, level) ** 2
    a, b, c = y.mean() ** 2 - t2 * yy, x.mean() * y.mean() - t2 * xy, x.mean() ** 2 - t2 * xx
    value = float(x.mean() / y.mean() - 1)
    if not a > 0:  # also where t is infinite
        return Bounds(value, -np.inf, np.inf, n)
    half = np.sqrt(max(b * b - a * c, 0.0))
    return Bounds(value, float((b - half) / a - 1), float((b + half) / a - 1), n)


def between(one: np.ndarray, other: np.ndarray, level: float) -> Bounds:
    """Of mean(one) - mean(other), of different people: Welch (1947), with Satterthwaite's degrees of freedom."""
    n, m = len(one), len(other)
    if min(n, m) < 2:
        return Bounds(np.nan, -np.inf, np.inf, n + m)
    a, b = one.var(ddof=1) / n, other.var(ddof=1) / m
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1)) if a + b else n + m - 2
    return _around(float(one.mean() - other.mean()), float(np.sqrt(a + b)), float(freedom), level, n + m)


def jackknife(function: Callable[[np.ndarray], float], people: int, seed: int, level: float) -> Bounds:
    """Of a number that only all people together have, such as a ratio of two coverages.

    function: (people,) bool, who counts -> the number. People are dealt by the seed to GROUPS groups, each left out
    once (Busing, Meijer and van der Leeden 1999, as in `recsys.evaluation.totals`, which says why no bootstrap).
    """
    value = function(np.ones(people, dtype=bool))
    groups = min(GROUPS, people)
    if groups < 2 or not np.isfinite(value):
        return Bounds(value, -np.inf, np.inf, people)
    group = np.random.default_rng(seed).permutation(people) % groups
    without = np.array([function(group != g) for g in range(groups)])
    others = people / np.bincount(group) - 1
    pseudo = (others + 1) * value - others * without
    centre = np.average(pseudo, weights=1 / (others + 1))
    return _around(value, float(np.sqrt(np.mean((pseudo - centre) ** 2 / others))), groups - 1, level, people)


def _around(value: float, error: float, freedom: float, level: float, people: int) -> Bounds:
    half = _t(freedom, level) * error if error else 0.0
    return Bounds(value, value - half, value + half, people)


def _t(freedom: float, level: float) -> float:
    """Student's t exceeds this with probability ``level``; infinite for a level of 0."""
    return float(-stdtrit(freedom, level)) if level > 0 else np.inf
