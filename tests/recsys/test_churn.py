"""How far lists change, counted by hand."""

from __future__ import annotations

import json

import pytest

from recsys.churn import NAMED, ChurnCounter, churn
from recsys.errors import SettingError

BEFORE = {"u1": ["a", "b", "c"], "u2": ["a", "b", "c"], "u3": ["a", "b", "c"], "gone": ["a"]}
AFTER = {"u1": ["a", "b", "c"], "u2": ["b", "a", "x"], "u3": ["x", "y", "z"], "come": ["y", "z"]}


def test_what_stayed_came_and_went_is_counted():
    found = churn(BEFORE, AFTER, 3)
    assert found.users == 5
    assert found.kept == pytest.approx((1 + 2 / 3 + 0 + 0 + 0) / 5)
    assert (found.unchanged, found.other) == (1 / 5, 3 / 5)
    assert found.entered == (("x", 2), ("y", 2), ("z", 2))
    assert found.left == (("a", 2), ("c", 2), ("b", 1))


def test_only_the_first_places_count():
    assert churn({"u": ["a", "b", "c"]}, {"u": ["b", "a", "x"]}, 2).kept == 1.0
    assert churn({"u": ["a", "b", "c"]}, {"u": ["b", "a", "x"]}, 1).other == 1.0


def test_the_same_lists_are_unchanged_and_the_same_items_in_another_order_are_not():
    assert churn(BEFORE, BEFORE, 3).unchanged == 1.0
    turned = churn(BEFORE, {user: items[::-1] for user, items in BEFORE.items()}, 3)
    assert (turned.kept, turned.unchanged, turned.other) == (1.0, 1 / 4, 0.0)


def test_one_after_the_other_gives_the_same_as_all_at_once():
    counter = ChurnCounter(3)
    for user in sorted({*BEFORE, *AFTER}, reverse=True):
        counter.add(BEFORE.get(user, []), AFTER.get(user, []))
    assert counter.result() == churn(BEFORE, AFTER, 3)


def test_of_nobody_nothing_is_said():
    found = churn({"u": []}, {}, 3)
    assert (found.users, found.kept, found.unchanged, found.other) == (0, None, None, None)
    assert json.loads(json.dumps(found.as_dict()))["kept"] is None


def test_only_the_items_that_moved_most_are_named():
    counter = ChurnCounter(100)
    for number in range(30):
        counter.add([], [f"i{k:02}" for k in range(number, 30)])
    assert [count for _, count in counter.result().entered] == list(range(30, 30 - NAMED, -1))


def test_no_places_cannot_be_compared():
    with pytest.raises(SettingError):
        ChurnCounter(0)
