"""Presets: what settings may say, what they may not, and what boosts add."""

import math
import tomllib

import numpy as np
import pytest

from recsys.errors import SettingError
from recsys.matrix import Index
from recsys.serving.assortment import Article, Assortment
from recsys.serving.rules import Preset, boosts

TOML = """
pin = ["a", "b"]
boost = {"category:Drama" = 0.5, "item:a" = -1, "item:x:y" = 2}
share = {Drama = 0.25, War = 0.75}
diversity = 0.3
calibration = 1
categories = ["Drama"]
without = ["War", "Comedy"]
"""


def test_a_section_of_the_settings_becomes_a_preset():
    assert Preset.of(tomllib.loads(TOML)) == Preset(
        pin=("a", "b"),
        boost={"category:Drama": 0.5, "item:a": -1.0, "item:x:y": 2.0},
        share={"Drama": 0.25, "War": 0.75},
        diversity=0.3,
        calibration=1,
        categories=frozenset({"Drama"}),
        without=frozenset({"War", "Comedy"}),
    )
    assert Preset.of({}) == Preset()


def test_shares_that_sum_to_one_but_for_rounding_are_taken():
    share = {"a": 0.05, "b": 0.55, "c": 0.3, "d": 0.1}
    assert sum(share.values()) > 1
    assert Preset.of({"share": share}).share == share


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pins": ["a"]}, "no rule called 'pins'"),
        ({1: 2}, "no rule called 1"),
        ({"pin": "a"}, "presets.home.pin must be a list"),
        ({"pin": [1]}, "presets.home.pin must be a list"),
        ({"pin": [""]}, "presets.home.pin must be a list"),
        ({"pin": None}, "presets.home.pin must be a list"),
        ({"pin": ["a", "b", "a"]}, "presets.home.pin names 'a' more than once"),
        ({"pin": [["a"]]}, "presets.home.pin must be a list"),
        ({"categories": {"Drama": 1}}, "presets.home.categories must be a list"),
        ({"categories": ["Drama"], "without": ["Drama"]}, "'Drama'"),
        ({"boost": ["item:a"]}, "presets.home.boost must be a table"),
        ({"boost": {"a": 1.0}}, "'a' names neither"),
        ({"boost": {"item:": 1.0}}, "'item:' names neither"),
        ({"boost": {"category:": 1.0}}, "'category:' names neither"),
        ({"boost": {"items:a": 1.0}}, "'items:a' names neither"),
        ({"boost": {"item:a": "1"}}, "presets.home.boost, 'item:a', must be a number"),
        ({"boost": {"item:a": True}}, "presets.home.boost, 'item:a', must be a number"),
        ({"boost": {"item:a": math.nan}}, "presets.home.boost, 'item:a', must be a number"),
        ({"boost": {"item:a": math.inf}}, "between -100 and 100"),
        ({"boost": {"item:a": -101}}, "between -100 and 100"),
        ({"boost": {"item:a": 10**400}}, "between -100 and 100"),
        ({"boost": {"category": {"Drama": 1.0}}}, "presets.home.boost, 'category', must be a number"),
        ({"share": {"Drama": -0.1}}, "presets.home.share, 'Drama', must be a number between 0 and 1"),
        ({"share": {"Drama": 1.1}}, "presets.home.share, 'Drama', must be a number between 0 and 1"),
        ({"share": {"Drama": math.nan}}, "presets.home.share, 'Drama', must be a number between 0 and 1"),
        ({"share": {"Drama": 0.6, "War": 0.6}}, "sum to 1.2"),
        ({"share": 0.5}, "presets.home.share must be a table"),
        ({"diversity": 1.5}, "presets.home.diversity must be a number between 0 and 1"),
        ({"diversity": math.nan}, "presets.home.diversity must be a number between 0 and 1"),
        ({"diversity": True}, "presets.home.diversity must be a number between 0 and 1"),
        ({"calibration": "much"}, "presets.home.calibration must be a number between 0 and 1"),
        ({"calibration": None}, "presets.home.calibration must be a number between 0 and 1"),
        (["pin"], "presets.home must be a table"),
        (3, "presets.home must be a table"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, said):
    with pytest.raises(SettingError) as caught:
        Preset.of(given, "presets.home")
    assert said in str(caught.value)


@pytest.fixture
def seen():
    assortment = Assortment(
        [
            Article("a", categories=("Drama",)),
            Article("b", categories=("Drama", "War", "Drama")),
            Article("c"),
            Article("new", categories=("Drama",)),
        ]
    )
    items = Index.of(["c", "not held", "b", "a"], "item")
    return assortment.view(items), items


def test_boosts_of_an_item_and_of_its_categories_add_up(seen):
    view, items = seen
    preset = Preset.of({"boost": {"category:Drama": 0.5, "category:War": -2, "item:a": 3, "item:not held": 1}})
    found = boosts(view, items, preset)
    assert found.dtype == np.float32
    assert found.tolist() == [0, 1, -1.5, 3.5]


@pytest.mark.parametrize("boost", [{}, {"item:nobody": 1.0, "category:None": 2.0}, {"item:new": 1.0}, {"item:a": 0}])
def test_boosts_that_reach_no_column_are_none(seen, boost):
    view, items = seen
    assert boosts(view, items, Preset.of({"boost": boost})) is None
