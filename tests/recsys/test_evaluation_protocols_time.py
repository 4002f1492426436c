"""Splits by time against the same said in plain Python: nothing of the future on the wrong side, whatever the data."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys.errors import DataError, SettingError
from recsys.evaluation.checks import check_split
from recsys.evaluation.protocols import rolling, temporal
from recsys.evaluation.split import Split
from recsys.feedback import FeedbackWeights
from recsys.interactions import NO_TIME, Interactions

SECOND = 1_000_000
Row = tuple[int, int, float, int]  # user, item, rating, second


def ratings(rows: list[Row]) -> Interactions:
    return Interactions.from_lists(
        [f"u{row[0]}" for row in rows],
        [f"i{row[1]}" for row in rows],
        "rating",
        [row[2] for row in rows],
        [row[3] * SECOND for row in rows],
    )


def liked(rows: list[Row]) -> dict[str, set[str]]:
    """Whose last rating of what is at least 4, by time and of one moment the larger."""
    final = {(user, item): value for _, value, user, item in sorted((when, v, u, i) for u, i, v, when in rows)}
    found = defaultdict(set)
    for (user, item), value in final.items():
        if value >= 4:
            found[f"u{user}"].add(f"i{item}")
    return dict(found)


def sets(split: Split, matrix, users) -> dict[str, set[str]]:
    assert matrix.shape == (len(users), len(split.items))
    return {user: set(split.items.ids[row.indices]) for user, row in zip(users, matrix, strict=True)}


def log(n: int = 600, seed: int = 0, span: int = 500) -> list[Row]:
    """Ratings by 30 people of 40 things, many of them changed later."""
    rng = np.random.default_rng(seed)
    draws = zip(
        rng.integers(0, 30, n), rng.integers(0, 40, n), rng.integers(1, 6, n), rng.integers(0, span, n), strict=True
    )
    return [(int(u), int(i), float(v), int(when)) for u, i, v, when in draws]


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 7), st.sampled_from([1.0, 4.0, 5.0]), st.integers(0, 20)),
    min_size=12,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, at=st.integers(1, 20), min_user=st.integers(1, 3), min_item=st.integers(1, 2))
def test_a_temporal_split_is_what_plain_python_says(rows, at, min_user, min_item):
    try:
        split = temporal(ratings(rows), at=at * SECOND, share=0.3, min_user=min_user, min_item=min_item)
    except DataError:
        assume(False)
    before, after = (liked([row for row in rows if (row[3] < at) is side]) for side in (True, False))
    trained = sets(split, split.train, split.train_users)
    expected = {
        user: items - before[user] - trained.get(user, set())  # also not what they had liked and taken back
        for user, items in after.items()
        if len(before.get(user, ())) >= min_user
    }
    assert sets(split, split.hidden, split.users) == {user: items for user, items in expected.items() if items}
    assert sets(split, split.given, split.users) == {user: before[user] for user in split.users}

    end = at if split.validation is None else int(np.datetime64(split.facts["validation_from"][:-1]).astype(int))
    assert end <= at
    known = liked([row for row in rows if row[3] < end])
    assert all(items <= known[user] and len(items) >= min_user for user, items in trained.items())
    if min_user == min_item == 1:
        assert trained == known
    for user, held in zip(split.validation_users, range(len(split.validation_users)), strict=True):
        between = liked([row for row in rows if end <= row[3] < at])
        hidden, shown = (part[held].indices for part in (split.validation.hidden, split.validation.given))
        assert set(split.items.ids[shown]) == known[user]
        assert set(split.items.ids[hidden]) == between[user] - known[user]

    assert split.latest_trained < end * SECOND
    assert split.hidden_times.min() >= at * SECOND
    assert split.last_given.max() < at * SECOND
    assert {check.status for check in check_split(split) if check.name != "nobody twice"} <= {"ok", "warn"}


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 3), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(rows, seed, shuffle):
    try:
        first = temporal(ratings(rows), seed=seed, share=0.3)
    except DataError:
        assume(False)
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    second = temporal(ratings(shuffled), seed=seed, share=0.3)
    assert first.facts == second.facts
    assert first.data == second.data
    assert (first.users, first.train_users, first.validation_users) == (
        second.users,
        second.train_users,
        second.validation_users,
    )
    np.testing.assert_array_equal(first.hidden_times, second.hidden_times)
    np.testing.assert_array_equal(first.given_order, second.given_order)
    assert (first.train != second.train).nnz == (first.hidden != second.hidden).nnz == 0


def test_the_cut_lies_where_the_wanted_share_begins():
    rows = [(k % 20, k // 20, 5.0, k) for k in range(400)]
    split = temporal(ratings(rows), share=0.25)
    assert split.facts["at"] == 300 * SECOND
    assert split.hidden.nnz == 100
    assert split.facts["validation_from"] == "1970-01-01T00:03:45Z"  # of the 300 before it the last 75, again a quarter
    assert split.train.nnz == 225
    assert split.validation.hidden.nnz == 75
    assert split.data["interactions"] == 400


def test_who_is_not_asked_is_counted_with_the_reason():
    rows = [(u, i, 5.0, 10 * i + u) for u in range(6) for i in range(8)]  # known before 100: six people
    rows += [(6, 0, 5.0, 50)]  # one item before
    rows += [(u, 9, 5.0, 100 + u) for u in (0, 1, 2)] + [(6, 9, 5.0, 110)]
    rows += [(3, 0, 5.0, 120)]  # again what is known
    rows += [(7, 0, 5.0, 130)]  # nobody knew them
    timeless = Interactions.from_lists(["u0"], ["i30"], "rating", [5.0], [NO_TIME])
    data = ratings(rows)
    data = Interactions.from_lists(
        [*data.user.decode(), "u0"],
        [*data.item.decode(), "i30"],
        "rating",
        [*data.value, *timeless.value],
        [*data.time, *timeless.time],
    )
    split = temporal(data, at=100 * SECOND, min_user=2)
    assert split.users == ("u0", "u1", "u2")
    assert "i30" not in split.items
    reasons = [(one.count, one.what, one.why.split(":")[0]) for one in split.left_out]
    assert reasons[:-1] == [
        (1, "interactions", "without a time they are neither before nor after"),
        (1, "users", "they like nothing before the cut, so they have nothing to give"),
        (1, "users", "fewer than 2 liked items before the cut"),
        (1, "users", "all they like after the cut is in their history already"),
        (1, "interactions", "with something in the history already, and so never recommended"),
    ]
    assert split.facts["items_unseen_in_training"] == 1  # i9 counts as missed
    assert split.description.startswith("3 people with a history before 1970-01-01T00:01:40Z give it")


def test_an_item_too_rare_to_learn_is_not_asked_of_who_had_it():
    rows = [(u, i, 5.0, 10 * i + u) for u in range(6) for i in range(8)]
    rows += [(0, 20, 5.0, 5), (0, 20, 5.0, 100), (1, 20, 5.0, 101)]
    split = temporal(ratings(rows), at=100 * SECOND, min_item=2)
    assert split.users == ("u1",)
    assert split.train[:, [split.items.number("i20")]].nnz == 0


def test_strengths_fade_as_of_the_cut_and_not_of_the_future():
    day = 86_400
    rows = [(u, i, 5.0, day * i) for u in range(10) for i in range(10)] + [(0, 30, 5.0, 1000 * day)]
    weights = FeedbackWeights(half_life_days=5.0)
    split = temporal(ratings(rows), weights, at=10 * day * SECOND)
    assert split.users == ("u0",)
    np.testing.assert_allclose(split.given.toarray()[0][:10], 0.5 ** ((10 - np.arange(10)) / 5), rtol=1e-6)


def test_what_was_liked_when_models_learnt_and_taken_back_since_is_not_asked_for():
    rows = [(u, i, 5.0, 10 * i + u) for u in range(6) for i in range(8)]
    rows += [(0, 0, 1.0, 95), (0, 0, 5.0, 100), (1, 20, 5.0, 101)]
    split = temporal(ratings(rows), at=100 * SECOND)
    assert split.users == ("u1",)
    assert split.facts["pairs_already_in_history"] == 1


def test_events_after_the_cut_count_for_nothing_before_it():
    rows = [(u, i, 5.0, 10 * i + u) for u in range(6) for i in range(8)] + [(0, 30, 5.0, 100)]
    changed = [*rows, (1, 1, 1.0, 150), (2, 31, 5.0, 160)]  # a rating taken back, a new thing
    one, other = (temporal(ratings(data), at=100 * SECOND) for data in (rows, changed))
    assert other.users == ("u0", "u2")
    assert one.train_users == other.train_users
    columns = other.items.numbers(one.items.ids.tolist())
    assert (one.train != other.train[:, columns]).nnz == 0
    assert other.train.nnz == one.train.nnz


def test_without_times_or_on_one_side_of_everything_there_is_no_split():
    with pytest.raises(DataError, match="no interaction has a time"):
        temporal(Interactions.from_lists(["a", "b"], ["x", "y"]))
    with pytest.raises(DataError, match="nothing happened before"):
        temporal(ratings(log()), at=0)
    with pytest.raises(DataError, match="nothing happened at or after"):
        temporal(ratings(log()), at=10_000 * SECOND)
    with pytest.raises(SettingError, match="share"):
        temporal(ratings(log()), share=1.5)


def test_rolling_windows_follow_each_other_and_each_knows_the_past_alone():
    rows = log(3000, seed=1)
    windows = rolling(ratings(rows), cuts=3, share=0.15)
    starts = [one.facts["at"] for one in windows]
    assert starts == sorted(set(starts))
    for one, until in zip(windows, [*starts[1:], 10**12], strict=True):
        at = one.facts["at"]
        until_then = [row for row in rows if row[3] * SECOND < until]
        alone = temporal(ratings(until_then), at=at, share=0.15)
        assert one.users == alone.users
        assert one.data == alone.data
        assert (one.train != alone.train).nnz == (one.hidden != alone.hidden).nnz == (one.given != alone.given).nnz == 0
        assert one.hidden_times.min() >= at > one.latest_trained
        assert one.hidden_times.max() < until
        assert (one.name, one.facts["cuts"]) == ("rolling", 3)
    assert sum(one.count for one in windows[0].left_out if "end of the window" in one.why) > 0


def test_rolling_windows_are_named_by_the_day_or_where_that_is_one_by_the_second():
    assert next(one.label for one in rolling(ratings(log(3000)), cuts=2)).startswith("from 1970-01-01T00:0")
    days = ratings([(u, i, v, when * 86_400) for u, i, v, when in log(3000)])
    labels = [one.label for one in rolling(days, cuts=2)]
    assert all(len(label) == len("from 1970-01-01") for label in labels)
    assert labels[0] < labels[1]


def test_rolling_needs_moments_that_differ_and_a_past():
    with pytest.raises(SettingError, match="nothing to learn from"):
        rolling(ratings(log()), cuts=4, share=0.25)
    with pytest.raises(DataError, match="too few or too alike"):
        rolling(ratings([(u, i, v, when // 400) for u, i, v, when in log()]), cuts=3)
