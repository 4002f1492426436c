"""A year's risk is spent a little every night and never used up."""

import numpy as np
import pytest

from recsys.gate import Rules, level_tonight
from recsys.gate.spending import DAYS

RULES = Rules()


def spend(times, level=level_tonight):
    """The levels of nights at these times, in days, each knowing those of the DAYS before."""
    levels = []
    for k, now in enumerate(times):
        spent = sum(one for at, one in zip(times[:k], levels, strict=True) if at > now - DAYS)
        levels.append(level(spent, RULES))
    return np.array(levels)


def worst_year(times, levels):
    return max(levels[(times > end - DAYS) & (times <= end)].sum() for end in times)


NIGHTS = {
    "daily": np.arange(1000.0),
    "six a day": np.arange(0, 420, 1 / 6),
    "in bursts": np.repeat(np.arange(0, 1200, 60.0), 40),
    "rarely": np.arange(0, 2000, 90.0),
}


@pytest.mark.parametrize("name", NIGHTS)
def test_no_year_spends_more_than_alpha_and_no_night_goes_without(name):
    times = NIGHTS[name]
    levels = spend(times)
    assert (levels > 0).all()
    assert worst_year(times, levels) <= RULES.alpha


def test_the_same_share_of_alpha_every_night_would_spend_more():
    times = NIGHTS["daily"]
    assert worst_year(times, spend(times, lambda spent, rules: rules.alpha / 100)) > RULES.alpha


def test_with_a_night_a_day_the_level_settles():
    assert spend(np.arange(3000.0))[-1] == pytest.approx(RULES.alpha / 465, rel=0.01)


def test_an_alpha_lowered_below_what_is_spent_leaves_nothing():
    assert level_tonight(0.06, RULES) == 0
