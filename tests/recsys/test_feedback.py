"""FeedbackWeights against a plain oracle of dictionaries that weighs one event at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import SettingError
from recsys.feedback import RULES, EventRule, FeedbackWeights
from recsys.interactions import MICROSECONDS_PER_DAY as DAY
from recsys.interactions import NO_TIME, Interactions

Row = tuple[str, str, str, float, int]


def interactions_of(rows: list[Row]) -> Interactions:
    users, items, events, values, times = zip(*rows, strict=True) if rows else ([],) * 5
    return Interactions.from_lists(users, items, events, np.array(values, dtype=np.float64), times)


def weighed(rows: list[Row], weights: FeedbackWeights, now: int | None = None) -> dict[tuple[str, str], tuple]:
    interactions = interactions_of(rows)
    found = weights.preferences(interactions, now)
    order = list(zip(found.user.tolist(), found.item.tolist(), strict=True))
    assert order == sorted(set(order))  # each pair once, by user, then item
    assert (found.user.dtype, found.item.dtype, found.strength.dtype) == (np.int32, np.int32, np.float32)
    users, items = interactions.user.labels[found.user], interactions.item.labels[found.item]
    results = zip(found.strength.tolist(), found.disliked.tolist(), strict=True)
    return dict(zip(zip(users, items, strict=True), results, strict=True))


def worth(rule: EventRule, value: float, age_days: float, half_life: float | None) -> tuple[float, bool]:
    """The docstring of EventRule, read aloud for one event."""
    if rule.dislike or (rule.dislike_below is not None and value < rule.dislike_below):
        return 0.0, True
    if rule.transform == "count":
        amount = 1.0
    elif rule.transform == "threshold":
        amount = 1.0 if value >= rule.at else 0.0
    elif math.isnan(value):
        amount = 1.0
    else:
        amount = math.log1p(max(value, 0.0)) if rule.transform == "log1p" else max(value, 0.0)
    return rule.weight * amount * (0.5 ** (age_days / half_life) if half_life else 1.0), False


def oracle(rows: list[Row], weights: FeedbackWeights, now: int | None = None) -> dict[tuple[str, str], tuple]:
    timed = [row[4] for row in rows if row[4] != NO_TIME]
    latest = now if now is not None else max(timed, default=0)
    by_pair: dict[tuple[str, str], dict[str, list[tuple[int, float]]]] = {}
    for user, item, event, value, time in rows:
        by_pair.setdefault((user, item), {}).setdefault(event, []).append((time, value))
    result = {}
    for pair, events in by_pair.items():
        strength, yes, no, refused = 0.0, NO_TIME, NO_TIME, False
        for event, happened in events.items():
            rule = weights.rules.get(event)
            if rule is None:
                continue
            if rule.combine == "last":
                happened = [max(happened, key=lambda e: (e[0], math.inf if math.isnan(e[1]) else e[1]))]
            gains = []
            for time, value in happened:
                age = 0.0 if time == NO_TIME else max(latest - time, 0) / DAY
                gain, says_no = worth(rule, value, age, weights.half_life_days)
                gains.append(gain)
                if says_no:
                    refused, no = True, max(no, time)
                elif gain > 0:
                    yes = max(yes, time)
            strength += sum(gains) if rule.combine == "sum" else max(gains)
        disliked = refused and no >= yes
        result[pair] = (0.0 if disliked else strength, disliked)
    return result


rules = st.builds(
    EventRule,
    weight=st.sampled_from([0.0, 0.25, 1.0, 2.0]),
    transform=st.sampled_from(["count", "threshold", "linear", "log1p"]),
    at=st.sampled_from([0.0, 3.0]),
    combine=st.sampled_from(["last", "sum", "max"]),
    dislike=st.booleans(),
    dislike_below=st.sampled_from([None, 2.5]),
)
row = st.tuples(
    st.sampled_from(["u1", "u2", "ü3"]),
    st.sampled_from(["i1", "i2", "i3"]),
    st.sampled_from(["a", "b", "c", "unruled"]),
    st.sampled_from([math.nan, -1.0, 0.0, 1.0, 2.5, 3.3, 4.0, 1e6]),
    st.sampled_from([NO_TIME, 0, 5 * DAY, 5 * DAY + 1, 400 * DAY]),
)
settings_of = st.builds(
    FeedbackWeights,
    rules=st.fixed_dictionaries({"a": rules, "b": rules, "c": rules}),
    half_life_days=st.sampled_from([None, 30.0]),
)


@settings(max_examples=400, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=25), weights=settings_of, one_type=st.booleans())
def test_preferences_equal_the_oracle_whatever_the_rules(rows, weights, one_type):
    if one_type:
        rows = [(u, i, "a", v, t) for u, i, _, v, t in rows]
    found, expected = weighed(rows, weights), oracle(rows, weights)
    assert found.keys() == expected.keys()
    for pair, (strength, disliked) in expected.items():
        assert found[pair] == (pytest.approx(strength, rel=1e-6, abs=1e-12), disliked), pair


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=25), weights=settings_of, seed=st.integers(0, 99))
def test_the_order_of_rows_changes_no_bit(rows, weights, seed):
    shuffled = [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]
    assert weighed(rows, weights) == weighed(shuffled, weights)


def test_the_default_rules_by_example():
    weights = FeedbackWeights()
    rows = [
        ("ann", "loved", "rating", 5.0, 1),
        ("ann", "changed her mind", "rating", 5.0, 1),
        ("ann", "changed her mind", "rating", 1.0, 2),
        ("ann", "so so", "rating", 3.0, 1),
        ("ann", "bought twice", "purchase", math.nan, 1),
        ("ann", "bought twice", "purchase", math.nan, 2),
        ("ann", "watched", "watch", math.e - 1, 1),
        ("ann", "watched", "watch", math.e - 1, 2),
        ("ann", "no, then yes", "dislike", math.nan, 1),
        ("ann", "no, then yes", "like", math.nan, 2),
        ("ann", "yes, then no", "like", math.nan, 1),
        ("ann", "yes, then no", "dislike", math.nan, 2),
        ("ann", "who knows", "sneezed at", 1.0, 1),
    ]
    assert {item: result for (_, item), result in weighed(rows, weights).items()} == {
        "loved": (1.0, False),
        "changed her mind": (0.0, True),
        "so so": (0.0, False),
        "bought twice": (2.0, False),
        "watched": (0.5, False),
        "no, then yes": (1.0, False),
        "yes, then no": (0.0, True),
        "who knows": (0.0, False),
    }
    assert weights.unruled(interactions_of(rows)) == {"sneezed at": 1}


def test_interest_halves_with_every_half_life_but_not_without_a_time():
    weights = FeedbackWeights(half_life_days=10)
    rows = [("u", "new", "view", 1.0, 20 * DAY), ("u", "old", "view", 1.0, 0), ("u", "undated", "view", 1.0, NO_TIME)]
    assert {item: strength for (_, item), (strength, _) in weighed(rows, weights).items()} == {
        "new": 0.5,
        "old": 0.125,
        "undated": 0.5,
    }
    assert weighed(rows, weights, now=30 * DAY)["u", "new"] == (0.25, False)


@pytest.mark.parametrize(
    "wrong",
    [{"transform": "square"}, {"combine": "mean"}, {"weight": -1.0}, {"weight": math.nan}, {"weight": math.inf}],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(SettingError):
        EventRule(**wrong)


def test_a_half_life_must_be_above_zero():
    with pytest.raises(SettingError, match="half_life_days"):
        FeedbackWeights(half_life_days=0)


def test_no_interactions_make_no_preferences():
    found = FeedbackWeights(RULES).preferences(Interactions.empty())
    assert len(found.user) == len(found.item) == len(found.strength) == len(found.disliked) == 0
