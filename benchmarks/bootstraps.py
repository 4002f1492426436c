"""Other intervals of a mean, from the same resamples as ours: to see which holds what it promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import norm, t

from recsys.evaluation.resampling import People, resampled_means

Ends = tuple[np.ndarray, np.ndarray]


def percentile(values: np.ndarray, seed: int, resamples: int) -> Ends:
    """The 2.5 and 97.5 percentiles of the resampled means (Efron and Tibshirani 1993, chapter 13)."""
    low, high = np.quantile(resampled_means(People.of(values), seed, resamples), [0.025, 0.975], axis=0)
    return low, high


def bca(values: np.ndarray, seed: int, resamples: int) -> Ends:
    """Bias-corrected, accelerated: percentiles moved by the bootstrap's bias and the values' skewness (Efron 1987)."""
    people = People.of(values)
    drawn, mean = resampled_means(people, seed, resamples), people.means()
    below = (drawn < mean).mean(axis=0) + (drawn == mean).mean(axis=0) / 2
    bias = norm.ppf(np.clip(below, 1 / resamples, 1 - 1 / resamples))
    pull = people.influence()
    squares = (pull**2).sum(axis=0)
    skewness = np.divide((pull**3).sum(axis=0), 6 * squares**1.5, out=np.zeros_like(squares), where=squares > 0)
    ends = []
    for z in norm.ppf([0.025, 0.975]):
        level = norm.cdf(bias + (bias + z) / (1 - skewness * (bias + z)))
        ends.append(np.array([np.quantile(column, one) for column, one in zip(drawn.T, level, strict=True)]))
    return ends[0], ends[1]


def bootstrap_t(values: np.ndarray, seed: int, resamples: int) -> Ends:
    """Percentiles of (resampled mean - mean) / its own standard error, turned round (Efron and Tibshirani, 12.5)."""
    n, m = values.shape
    both = resampled_means(People.of(np.hstack([values, values**2])), seed, resamples)
    means, variances = both[:, :m], both[:, m:] - both[:, :m] ** 2
    centred = means - values.mean(axis=0)
    ratios = np.divide(
        centred, np.sqrt(np.maximum(variances, 0) / n), out=np.zeros_like(means), where=variances > 1e-14
    )
    low, high = np.quantile(ratios, [0.025, 0.975], axis=0)
    error = values.std(axis=0) / np.sqrt(n)
    return values.mean(axis=0) - high * error, values.mean(axis=0) - low * error


def students_t(values: np.ndarray, seed: int, resamples: int) -> Ends:
    """Mean and t times standard error: no resampling."""
    n = len(values)
    width = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return values.mean(axis=0) - width, values.mean(axis=0) + width


OTHERS: dict[str, Callable[[np.ndarray, int, int], Ends]] = {
    "percentile": percentile,
    "BCa": bca,
    "bootstrap-t": bootstrap_t,
    "Student's t": students_t,
}
