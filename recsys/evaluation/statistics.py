"""How sure a mean and a difference are: bootstrap intervals over people, paired sign-flip tests, Holm's correction.

Values are (n, m): a row a user, a column a metric. NaN: this user has no value in this metric; everything here is over
those who have one. groups: (n,) labels where a person has several rows, of several seeds or times; equal labels are one
person, whose rows are drawn and flipped together, because they are not independent. None: every row is somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from recsys.evaluation.resampling import People, as_extreme, resampled_means

RESAMPLES = 2000
FLIPS = 9999
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the ends of its 95% interval. users: how many people it is over; 0 where nobody has a value, and
    then the numbers are NaN, which JSON has no word for."""

    mean: float
    low: float
    high: float
    users: int = 0


def intervals(
    values: np.ndarray, seed: int, resamples: int = RESAMPLES, *, groups: np.ndarray | None = None
) -> list[Interval]:
    """95% percentile-bootstrap interval of each column's mean, over people (Efron and Tibshirani 1993, chapter 13).

    People are drawn with replacement, the same for every column; a resample's mean is over its rows with a value, so
    for several rows a person this is the cluster bootstrap of a ratio (Cameron, Gelbach and Miller 2008). With one
    seed and one number of people the draws are the same, so intervals of two models are of the same resampled people.
    The percentiles are taken a little further out than 2.5 and 97.5, as Student's t asks of few people (Hesterberg
    2015, "expanded"): `benchmarks/statistics_check.py` has it beside other bootstraps. Of one person there is no width.
    """
    people = People.of(values, groups)
    means, users = people.means(), people.users()
    drawn = resampled_means(people, seed, resamples)
    found = []
    for k, n in enumerate(users.tolist()):
        known = drawn[~np.isnan(drawn[:, k]), k]
        tail = _tail(n)
        low, high = np.quantile(known, [tail, 1 - tail]) if n else (np.nan, np.nan)
        found.append(Interval(float(means[k]), float(low), float(high), n))
    return found


def _tail(n: int) -> float:
    """The share cut off at each end. The bootstrap's variance is (n - 1) / n of the sample's, and the normal law's
    tails are lighter than those of t with n - 1 degrees of freedom: both are put right."""
    if n < 2:
        return 0.0
    return float(ndtr(stdtrit(n - 1, LEVEL / 2) * np.sqrt(n / (n - 1))))


def sign_flip(
    differences: np.ndarray, seed: int, flips: int = FLIPS, *, groups: np.ndarray | None = None
) -> np.ndarray:
    """(m,) two-sided p of "the paired difference has mean zero", one a column of (n, m) differences.

    Under it each person's difference is as likely with the other sign (Fisher's randomisation test); a person with
    several rows has one sign for their sum. The observed signs count among the draws, so p is at least 1 / (flips + 1).
    NaN for a column without any value. Give many comparisons as many columns: the draws are most of the work.
    """
    people = People.of(differences, groups)
    p = (1 + as_extreme(people, seed, flips)) / (flips + 1)
    return np.where(people.counts.any(axis=0), p, np.nan)


def standard_errors(values: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """(m,) standard error of each column's mean, robust to what the rows of one person have in common (Liang and Zeger
    1986). NaN with fewer than two people."""
    people = People.of(values, groups)
    n = people.users()
    squares = np.sum(people.influence() ** 2, axis=0)
    return np.sqrt(squares * np.divide(n, n - 1, out=np.full(len(n), np.nan), where=n > 1))


def detectable(
    differences: np.ndarray, groups: np.ndarray | None = None, level: float = LEVEL, power: float = 0.8
) -> np.ndarray:
    """(m,) the smallest true mean difference that a two-sided paired test at this level finds with this power.

    (z of 1 - level/2 + z of power) x standard error of the mean difference (Cohen 1988, chapter 2; for retrieval Sakai
    2016), 2.8 standard errors at 5% and 80%. It is of one test: Holm's correction over many makes it larger.
    """
    return (ndtri(1 - level / 2) + ndtri(power)) * standard_errors(differences, groups)


def spread(means: np.ndarray) -> np.ndarray:
    """(m,) standard deviation over rounds of (rounds, m) means: what another seed or another time would move. NaN of
    one round. Not a standard error over people, which `standard_errors` has."""
    if len(means) < 2:
        return np.full(means.shape[1], np.nan)
    return means.std(axis=0, ddof=1)


def holm(p: Sequence[float]) -> list[float]:
    """p adjusted for asking so many questions at once (Holm 1979): reject where it is below the level wanted.

    NaN, a question without an answer, stays NaN and does not count as one.
    """
    order = [int(which) for which in np.argsort(p, kind="stable") if not np.isnan(p[which])]
    adjusted = np.full(len(p), np.nan)
    largest = 0.0
    for k, which in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - k) * float(p[which])))
        adjusted[which] = largest
    return [float(value) for value in adjusted]
