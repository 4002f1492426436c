"""The bounds of means, ratios, groups and totals: right on paper, and missed no oftener than they say."""

import numpy as np
import pytest
from scipy import stats

from recsys.gate.bounds import between, difference, jackknife, ratio


def people(n, seed=0, factor=1.0):
    """(challenger, champion), paired, between 0 and 1, with many zeros, as ndcg has them."""
    rng = np.random.default_rng(seed)
    person = rng.beta(1.2, 2.8, n)
    return [share * person * (rng.random(n) < 0.8) for share in (factor, 1.0)]


def test_a_difference_has_the_bounds_of_the_t_test():
    values = np.random.default_rng(0).normal(0.1, 1, 50)
    found = difference(np.append(values, np.nan), 0.01)
    low = stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.99).low
    high = stats.ttest_1samp(values, 0, alternative="less").confidence_interval(0.99).high
    assert (found.low, found.high, found.people) == (pytest.approx(low), pytest.approx(high), 50)


def test_a_ratio_is_bounded_where_the_paired_t_test_of_that_ratio_turns():
    mine, theirs = people(300)
    found = ratio(mine, theirs, 0.001)
    for bound, side in ((found.low, "greater"), (found.high, "less")):
        p = stats.ttest_1samp(mine - (1 + bound) * theirs, 0, alternative=side).pvalue
        assert p == pytest.approx(0.001)
    assert found.low < found.value < found.high


def test_the_difference_of_two_groups_has_the_bounds_of_welch():
    rng = np.random.default_rng(1)
    one, other = rng.normal(1, 1, 30), rng.normal(0, 3, 80)
    low = stats.ttest_ind(one, other, equal_var=False, alternative="greater").confidence_interval(0.95).low
    assert between(one, other, 0.05).low == pytest.approx(low)


def test_the_jackknife_of_a_mean_is_the_t_interval_where_everybody_is_a_group():
    values = np.random.default_rng(2).normal(size=40)
    found, known = jackknife(lambda who: float(values[who].mean()), 40, 0, 0.05), difference(values, 0.05)
    assert found[:3] == pytest.approx(known[:3])


def test_bounds_are_missed_as_often_as_the_level_says_and_no_oftener():
    level, nights = 0.01, 3000
    missed, missed_at_fivefold = 0, 0
    for night in range(nights):
        mine, theirs = people(150, night, 0.96)
        missed += ratio(mine, theirs, level).low > -0.04
        missed_at_fivefold += ratio(mine, theirs, 5 * level).low > -0.04
    most = stats.binom.ppf(0.999, nights, level)
    assert missed <= most
    assert missed_at_fivefold > most  # a level that is not kept would have been seen


def test_two_who_are_the_same_differ_by_nothing():
    values = people(20)[1]
    assert ratio(values, values.copy(), 1e-6)[:3] == (0, 0, 0)


@pytest.mark.parametrize("n", [0, 1])
def test_of_nobody_and_of_one_person_nothing_is_known(n):
    values = np.full(n, 0.5)
    for found in (difference(values, 0.05), ratio(values, values + 0.1, 0.05), between(values, values, 0.05)):
        assert (found.low, found.high) == (-np.inf, np.inf)


def test_nothing_is_known_beside_a_champion_who_may_be_worth_nothing():
    theirs = np.zeros(100)
    theirs[0] = 1
    assert ratio(np.full(100, 0.3), theirs, 0.05).low == -np.inf


def test_at_a_level_of_zero_nothing_is_ruled_out():
    mine, theirs = people(500)
    assert ratio(mine, theirs, 0.0).low == difference(mine, 0.0).low == -np.inf
