"""The panel: chosen by id alone, in the same way whatever else there is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recsys.panel import FEWEST_PEOPLE, MOST_PEOPLE, SHARE, halvings, on_panel, share_for

IDS = [f"user-{number}" for number in range(20_000)]


def test_about_a_tenth_of_the_people_are_on_it_and_always_the_same():
    found = on_panel(IDS, SHARE)
    assert 0.09 < found.mean() < 0.11
    assert (on_panel(IDS[::-1], SHARE)[::-1] == found).all()


def test_whoever_is_on_a_smaller_panel_is_on_every_larger_one():
    shares = [0.1, 0.05, 0.025, 0.0125]
    found = [on_panel(IDS, share) for share in shares]
    for larger, smaller in pairwise(found):
        assert (larger >= smaller).all()
        assert smaller.sum() < larger.sum()


def test_halvings_say_who_is_on_the_panel_of_each_smaller_share():
    depth = halvings(IDS, 0.1)
    for k in range(4):
        assert ((depth >= k) == on_panel(IDS, 0.1 / 2**k)).all()


def test_a_share_of_nothing_is_nobody():
    assert not on_panel(IDS, 0.0).any()
    assert (halvings(IDS, 0.0) == -1).all()


@pytest.mark.parametrize("people", [FEWEST_PEOPLE, 5_000, 50_000, 50_001, 1_000_000, 10**9])
def test_the_share_keeps_the_panel_below_its_limit(people: int):
    share = share_for(people)
    assert 0 < share <= SHARE
    assert share * people <= MOST_PEOPLE
    assert share == SHARE or share * people > MOST_PEOPLE / 2
    assert np.log2(SHARE / share) == int(np.log2(SHARE / share))


def test_of_few_people_nobody_is_kept_apart():
    assert share_for(FEWEST_PEOPLE - 1) == 0.0
