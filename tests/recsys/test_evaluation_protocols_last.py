"""Leave-last-out: the last of each history is hidden, nothing of it is known, and every count is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys.errors import DataError, SettingError
from recsys.evaluation.checks import check_split
from recsys.evaluation.protocols import leave_last_out
from recsys.evaluation.split import Split
from recsys.interactions import NO_TIME, Interactions


def histories(n: int = 40, seed: int = 0) -> dict[str, list[str]]:
    """Each user's items, in the order in which they came."""
    rng = np.random.default_rng(seed)
    return {f"u{u:02}": [f"i{i:02}" for i in rng.permutation(30)[: 3 + u % 7]] for u in range(n)}


def interactions_of(rows: dict[str, list[str]], timed: bool, shuffled: int | None = None) -> Interactions:
    pairs = [(user, item, k) for user, items in rows.items() for k, item in enumerate(items)]
    if shuffled is not None:
        pairs = [pairs[k] for k in np.random.default_rng(shuffled).permutation(len(pairs))]
    users, items, times = zip(*pairs, strict=True)
    return Interactions.from_lists(users, items, times=np.array(times) if timed else None)


def sets(split: Split, matrix, users) -> dict[str, set[str]]:
    return {user: set(split.items.ids[row.indices]) for user, row in zip(users, matrix, strict=True)}


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("hidden", [1, 2])
def test_everybody_is_asked_for_their_last_and_gives_all_before(timed, hidden):
    rows = histories()
    split = leave_last_out(interactions_of(rows, timed), hidden=hidden)
    assert split.users == tuple(rows)
    assert sets(split, split.hidden, split.users) == {user: set(items[-hidden:]) for user, items in rows.items()}
    assert sets(split, split.given, split.users) == {user: set(items[:-hidden]) for user, items in rows.items()}
    assert split.facts["history_order"] == ("time" if timed else "row")
    trained = sets(split, split.train, split.train_users)
    chosen = set(split.validation_users)
    assert (
        len(chosen) == split.facts["validation_users"] == round(0.1 * sum(len(r) > 2 * hidden for r in rows.values()))
    )
    for user, items in rows.items():
        assert trained[user] == set(items[: -2 * hidden] if user in chosen else items[:-hidden])
    asked = sets(split, split.validation.hidden, split.validation_users)
    shown = sets(split, split.validation.given, split.validation_users)
    for user in chosen:
        assert asked[user] == set(rows[user][-2 * hidden : -hidden])
        assert shown[user] == trained[user]


@pytest.mark.parametrize("timed", [True, False])
def test_the_order_of_what_is_given_is_handed_over(timed):
    rows = histories()
    split = leave_last_out(interactions_of(rows, timed))
    for k, user in enumerate(split.users):
        entries = slice(*split.given.indptr[[k, k + 1]])
        by_order = split.items.ids[split.given.indices[entries]][np.argsort(split.given_order[entries])]
        assert by_order.tolist() == rows[user][:-1]
    held = split.validation
    for k, user in enumerate(split.validation_users):
        entries = slice(*held.given.indptr[[k, k + 1]])
        by_order = split.items.ids[held.given.indices[entries]][np.argsort(held.order[entries])]
        assert by_order.tolist() == rows[user][:-2]


def test_with_times_the_order_of_the_rows_changes_nothing_and_the_seed_decides_who_is_chosen_by():
    first, second = (leave_last_out(interactions_of(histories(), True, order), seed=3) for order in (None, 5))
    assert (first.validation_users, first.data, first.facts) == (second.validation_users, second.data, second.facts)
    assert (first.train != second.train).nnz == (first.hidden != second.hidden).nnz == 0
    np.testing.assert_array_equal(first.given_order, second.given_order)
    other = leave_last_out(interactions_of(histories(), True), seed=4)
    assert other.validation_users != first.validation_users


def test_of_what_came_at_one_moment_chance_takes_any():
    rows = {f"u{u}": [f"i{i}" for i in range(10)] for u in range(300)}
    data = interactions_of(rows, timed=False)
    data = Interactions.from_lists(data.user.decode(), data.item.decode(), times=np.zeros(len(data), dtype=np.int64))
    counts = np.bincount(leave_last_out(data).hidden.indices, minlength=10)
    assert counts.sum() == 300
    assert counts.min() > 10


def test_times_are_told_for_the_checks():
    split = leave_last_out(interactions_of(histories(), timed=True))
    lengths = np.array([len(items) for items in histories().values()])
    np.testing.assert_array_equal(split.hidden_times, lengths - 1)
    np.testing.assert_array_equal(split.last_given, lengths - 2)
    assert split.latest_trained == 7
    (order,) = [check for check in check_split(split) if check.name == "time order"]
    assert order.status == "warn"  # others go on after somebody's last
    assert leave_last_out(interactions_of(histories(), timed=False)).hidden_times is None


def test_who_is_not_asked_is_counted_with_the_reason():
    rows = {**histories(20), "alone": ["i00"], "brief": ["i01", "i02"]}
    data = interactions_of(rows, timed=True)
    users = [*data.user.decode(), "lost", "lost", "critic"]
    values = [*np.full(len(data), 5.0), 5.0, 5.0, 1.0]
    times = [*data.time, NO_TIME, NO_TIME, 3]
    split = leave_last_out(
        Interactions.from_lists(users, [*data.item.decode(), "i03", "i04", "i05"], "rating", values, times), min_user=2
    )
    assert split.users == tuple(histories(20))
    assert [(one.count, one.why.split(":")[0]) for one in split.left_out] == [
        (1, "they like nothing"),
        (1, "with 1 or fewer liked items nothing would be left to give"),
        (1, "nothing says when they liked their last"),
        (1, "fewer than 2 items are left to give"),
        (2, "kept from training to choose by"),
    ]
    assert "lost" in split.train_users
    assert split.description.startswith("20 people are asked for the last item they liked")


def test_what_is_hidden_does_not_help_an_item_or_a_user_over_the_threshold():
    rows = {**histories(40), "a": ["i00", "i01", "rare"], "b": ["i02", "rare", "i03"]}
    split = leave_last_out(interactions_of(rows, timed=True), min_user=2, min_item=2, validation=0)
    rare = split.items.number("rare")
    assert split.train[:, [rare]].nnz == 0  # two people had it, one of them only as what is hidden
    assert split.hidden[:, [rare]].nnz == 1
    assert split.validation is None
    assert split.facts["items_unseen_in_training"] == 1


def test_nothing_that_says_what_came_last_is_an_error():
    sorted_rows = {user: sorted(items) for user, items in histories().items()}
    with pytest.raises(DataError, match="nothing says what came last"):
        leave_last_out(interactions_of(sorted_rows, timed=False))
    with pytest.raises(DataError, match="nobody has more than 20"):
        leave_last_out(interactions_of(histories(), timed=True), hidden=20)
    with pytest.raises(SettingError, match="at least 1"):
        leave_last_out(interactions_of(histories(), timed=True), hidden=0)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 20)), min_size=8, max_size=50),
    hidden=st.integers(1, 2),
    min_user=st.integers(1, 3),
    min_item=st.integers(1, 2),
)
def test_no_check_fails_whatever_the_data(rows, hidden, min_user, min_item):
    users, items, times = zip(*rows, strict=True)
    data = Interactions.from_lists([f"u{u}" for u in users], [f"i{i}" for i in items], times=list(times))
    try:
        split = leave_last_out(data, hidden=hidden, min_user=min_user, min_item=min_item, validation=0.5)
    except DataError:
        assume(False)
    assert not [check for check in check_split(split) if check.status == "fail" and check.name != "nobody twice"]
    assert (np.diff(split.hidden.indptr) == hidden).all()
    assert (np.diff(split.given.indptr) >= min_user).all()
    last = dict(zip(split.users, np.split(split.hidden_times, len(split.users)), strict=True))
    for user, before in zip(split.users, split.last_given, strict=True):
        assert before <= last[user].min()
