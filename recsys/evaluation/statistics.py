"""How sure a mean and a difference are: bootstrap intervals over users, paired sign-flip tests, Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
FLIPS = 9999
_CHUNK = 4_000_000  # random signs held at once


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the ends of its 95% interval."""

    mean: float
    low: float
    high: float


def intervals(values: np.ndarray, seed: int, resamples: int = RESAMPLES) -> list[Interval]:
    """95% percentile-bootstrap interval of the mean of each column (Efron and Tibshirani 1993, chapter 13).

    values: (n_users, m) float64; users are drawn with replacement, the same users for every column. With one seed and
    one n the draws are the same, so intervals of two models are of the same resampled people.
    """
    n = len(values)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for b in range(resamples):
        means[b] = np.bincount(rng.integers(0, n, n), minlength=n) @ values / n
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [Interval(*map(float, row)) for row in zip(values.mean(axis=0), low, high, strict=True)]


def sign_flip(differences: np.ndarray, seed: int, flips: int = FLIPS) -> np.ndarray:
    """(m,) two-sided p of "the paired difference has mean zero", one a column of (n_users, m) differences.

    Under it each user's difference is as likely with the other sign (Fisher's randomisation test). The observed signs
    count among the draws, so p is at least 1 / (flips + 1).
    """
    n = len(differences)
    rng = np.random.default_rng(seed)
    observed = np.abs(differences.sum(axis=0))
    # Sums of the same numbers in another order differ in their last bits; that must not pass for a larger difference.
    observed = observed - 1e-12 * np.abs(differences).sum(axis=0)
    extreme = np.ones(differences.shape[1])
    step = max(1, _CHUNK // n)
    for start in range(0, flips, step):
        signs = rng.integers(0, 2, (min(step, flips - start), n), dtype=np.int8) * 2.0 - 1.0
        extreme += (np.abs(signs @ differences) >= observed).sum(axis=0)
    return extreme / (flips + 1)


def holm(p: Sequence[float]) -> list[float]:
    """p adjusted for asking so many questions at once (Holm 1979): reject where it is below the level wanted."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(order))
    largest = 0.0
    for k, which in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - k) * float(p[which])))
        adjusted[which] = largest
    return [float(value) for value in adjusted]
