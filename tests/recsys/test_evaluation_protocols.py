"""Splits: nobody and nothing is on two sides, the seed alone decides, and every count is in the facts."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.evaluation.protocols import fixed, strong
from recsys.evaluation.split import Split, describe
from recsys.interactions import NO_TIME, Interactions
from recsys.matrix import InteractionMatrix


def some_interactions(order=None) -> Interactions:
    """100 users with 2 to 13 items each, user u99 with one; in any order of rows."""
    rng = np.random.default_rng(0)
    pairs = [(f"u{u}", f"i{i}") for u in range(99) for i in rng.choice(60, 2 + u % 12, replace=False)] + [("u99", "i0")]
    if order is not None:
        pairs = [pairs[k] for k in np.random.default_rng(order).permutation(len(pairs))]
    return Interactions.from_lists([user for user, _ in pairs], [item for _, item in pairs])


@pytest.fixture
def matrix() -> InteractionMatrix:
    return InteractionMatrix.build(some_interactions())


def same(a, b) -> bool:
    return a.shape == b.shape and (a != b).nnz == 0


def test_strong_holds_out_a_tenth_for_choices_and_a_tenth_for_the_test(matrix):
    split = strong(matrix, seed=0)
    assert (len(split.users), split.validation.given.shape[0], len(split.train_users)) == (10, 10, 80)
    assert not set(split.users) & set(split.train_users)
    assert split.facts["users"] == 10
    assert split.facts["train_users"] == 80


def test_strong_gives_and_hides_each_test_interaction_once(matrix):
    split = strong(matrix, seed=0)
    whole = matrix.matrix[matrix.users.numbers(split.users)]
    assert same(split.given + split.hidden, whole)
    assert split.given.multiply(split.hidden).nnz == 0
    assert (np.diff(split.hidden.indptr) >= 1).all()
    assert (np.diff(split.given.indptr) >= 1).all()


def test_strong_loses_nobody(matrix):
    split = strong(matrix, seed=0)
    parts = (split.train, split.given, split.hidden, split.validation.given, split.validation.hidden)
    assert sum(part.nnz for part in parts) == matrix.matrix.nnz
    assert {part.shape[1] for part in parts} == {len(matrix.items)}


def test_strong_asks_nobody_who_has_a_single_interaction(matrix):
    assert all("u99" in strong(matrix, seed).train_users for seed in range(30))


def test_the_order_of_the_rows_changes_nothing(matrix):
    first, shuffled = (strong(InteractionMatrix.build(some_interactions(order)), seed=3) for order in (1, 2))
    assert first.users == shuffled.users
    assert same(first.train, shuffled.train)
    assert same(first.hidden, shuffled.hidden)
    assert first.data == shuffled.data


def test_the_seed_decides_who_is_asked(matrix):
    assert strong(matrix, seed=0).users == strong(matrix, seed=0).users
    assert strong(matrix, seed=0).users != strong(matrix, seed=1).users


def test_the_span_of_the_data_is_told(matrix):
    assert strong(matrix, seed=0).data["span"] is None
    assert strong(matrix, seed=0, span=(5, 9)).data["span"] == [5, 9]
    parts = [
        Interactions.from_lists([user, user], [item, "x"], times=times)
        for user, item, times in (("a", "y", [30, 10]), ("a", "z", [50, 20]))
    ]
    assert fixed(*parts, seed=0).data["span"] == [10, 50]


def timed(seed: int = 0) -> Interactions:
    data = some_interactions()
    times = np.random.default_rng(seed).permutation(len(data)).astype(np.int64)
    return Interactions.from_lists(data.user.decode(), data.item.decode(), times=times)


def test_strong_says_when_things_happened_who_is_not_asked_and_why():
    data = timed()
    matrix = InteractionMatrix.build(data, min_user=3)
    split = strong(matrix, seed=0, interactions=data)
    when = {(u, i): t for u, i, t in zip(data.user.decode(), data.item.decode(), data.time, strict=True)}
    row, column = split.hidden.nonzero()
    pairs = [(split.users[r], split.items.ids[c]) for r, c in zip(row, column, strict=True)]
    assert split.hidden_times.tolist() == [when[pair] for pair in pairs]
    assert split.last_given.tolist() == [
        max(when[user, item] for item in split.items.ids[given.indices])
        for user, given in zip(split.users, split.given, strict=True)
    ]
    assert split.latest_trained == max(t for (user, _), t in when.items() if user in split.train_users)
    assert split.data["span"] == [0, len(data) - 1]
    assert not set(split.validation_users) & {*split.users, *split.train_users}
    assert len(split.validation_users) == split.validation.hidden.shape[0]
    dropped = 100 - len(matrix.users)
    assert dropped > 1
    assert [(one.count, one.why[:23]) for one in split.left_out if one.what == "users"] == [
        (dropped, "they like too few items"),
        (len(split.validation_users), "held out for choices: n"),
    ]
    assert split.description.startswith(f"{len(split.users)} people drawn at random")


def test_strong_without_the_events_knows_no_times_and_cuts_the_same(matrix):
    plain, told = strong(matrix, seed=2), strong(matrix, seed=2, interactions=timed())
    assert (plain.hidden_times, plain.latest_trained, plain.last_given) == (None, None, None)
    assert plain.users == told.users
    assert same(plain.hidden, told.hidden)
    assert [(one.count, one.what) for one in plain.left_out] == [(1, "users"), (10, "users")]  # u99, and validation


def test_too_few_users_to_split_are_refused():
    tiny = InteractionMatrix.build(Interactions.from_lists(["a", "a", "b", "b"], ["x", "y", "x", "y"]))
    with pytest.raises(DataError, match="too few to hold out"):
        strong(tiny, seed=0)


TRAIN = Interactions.from_lists(
    ["a", "a", "a", "b", "b", "b", "c", "c"],
    ["x", "y", "z", "x", "y", "w", "z", "w"],
)
# b: one item to find and one known already; c: an item training never saw; d: unknown in training; e: nothing to find.
TEST = Interactions.from_lists(["b", "b", "c", "d", "a"], ["z", "x", "new", "x", "x"])


def test_fixed_asks_the_users_of_the_second_set_and_gives_their_rows_of_the_first():
    split = fixed(TRAIN, TEST, seed=0, validation=0)
    ids = split.items.ids
    assert split.users == ("b", "c", "d")
    given = [set(ids[row.indices]) for row in split.given]
    hidden = [set(ids[row.indices]) for row in split.hidden]
    assert given == [{"x", "y", "w"}, {"z", "w"}, set()]
    assert hidden == [{"z"}, {"new"}, {"x"}]
    assert split.train.nnz == len(TRAIN)


def test_fixed_counts_what_training_could_not_know_and_keeps_it_in_the_denominators():
    facts = fixed(TRAIN, TEST, seed=0, validation=0).facts
    assert facts["items_unseen_in_training"] == 1
    assert facts["users_unseen_in_training"] == 1
    assert facts["pairs_already_in_training"] == 2
    assert facts["hidden_interactions"] == 3


def test_fixed_says_when_things_happened_who_is_not_asked_and_why():
    train = Interactions.from_lists(
        TRAIN.user.decode(), TRAIN.item.decode(), times=np.arange(len(TRAIN), dtype=np.int64)
    )
    test = Interactions.from_lists(
        [*TEST.user.decode(), "f"],
        [*TEST.item.decode(), "x"],
        ["interaction"] * len(TEST) + ["dislike"],
        times=np.arange(20, 21 + len(TEST)),
    )
    split = fixed(train, test, seed=0, validation=0)
    assert split.users == ("b", "c", "d")
    assert split.hidden_times.tolist() == [20, 22, 23]
    assert split.last_given.tolist() == [5, 7, NO_TIME]
    assert split.latest_trained == 7
    assert [(one.count, one.what, one.why) for one in split.left_out] == [
        (1, "users", "they like nothing in the test file"),
        (1, "users", "everything they like in the test file is in the training file already"),
        (2, "interactions", "already in the training file, and so never recommended"),
    ]
    assert split.description.startswith("3 people of the test file give what they have in the training file")


def test_fixed_chooses_by_part_of_the_training_set_that_is_not_trained_on():
    train = some_interactions()
    test = Interactions.from_lists(["u1", "u2"], ["fresh", "fresh"])
    split = fixed(train, test, seed=0)
    held = split.validation
    assert held.given.shape[0] == split.facts["validation_users"] == 10
    assert held.hidden.nnz > 0
    assert split.train.nnz + held.hidden.nnz == len(train)
    # No test item can be among the choices, and the users asked still give all they have.
    fresh = split.items.number("fresh")
    assert held.hidden[:, [fresh]].nnz == 0
    whole = InteractionMatrix.build(train)
    assert (
        np.diff(split.given.indptr).tolist() == np.diff(whole.matrix.indptr)[whole.users.numbers(["u1", "u2"])].tolist()
    )


def test_fixed_with_nothing_new_to_find_is_refused():
    with pytest.raises(DataError, match="nothing that the training set does not"):
        fixed(TRAIN, TRAIN, seed=0)


def test_the_hash_names_the_data_and_not_its_order():
    one, shuffled = (InteractionMatrix.build(some_interactions(order)) for order in (None, 5))
    assert describe([one]) == describe([shuffled])
    assert describe([one])["interactions"] == one.matrix.nnz
    fewer = InteractionMatrix.build(some_interactions().take(np.arange(1, one.matrix.nnz)))
    assert describe([fewer])["sha256"] != describe([one])["sha256"]
    renamed = (
        InteractionMatrix.build(Interactions.from_lists(["a"], ["x"])),
        InteractionMatrix.build(Interactions.from_lists(["a"], ["y"])),
    )
    assert describe([renamed[0]])["sha256"] != describe([renamed[1]])["sha256"]


def lists(rows: dict[str, list[str]]) -> Interactions:
    users = [user for user, items in rows.items() for _ in items]
    return Interactions.from_lists(users, [item for items in rows.values() for item in items])


def hidden_items(split: Split) -> list[set[str]]:
    hidden = split.validation.hidden
    return [set(split.items.ids[hidden[row].indices]) for row in range(hidden.shape[0])]


def test_a_fixed_split_keeps_the_latest_rows_of_a_history_for_choices():
    rng = np.random.default_rng(0)
    train = {f"u{u}": [str(i) for i in rng.permutation(30)[:10]] for u in range(40)}
    split = fixed(lists(train), lists({"u0": ["77"]}), seed=0, validation=1.0)
    assert hidden_items(split) == [set(train[user][-2:]) for user in split.train_users]
    assert split.facts["validation"].startswith("the latest 20%")


def test_time_says_what_is_latest_where_there_is_one():
    rng = np.random.default_rng(0)
    users = [f"u{row // 10}" for row in range(400)]
    items = [str(item) for _ in range(40) for item in rng.permutation(30)[:10]]
    times = rng.permutation(400).astype(np.int64)
    split = fixed(Interactions.from_lists(users, items, times=times), lists({"u0": ["77"]}), seed=0, validation=1.0)
    for user, found in zip(split.train_users, hidden_items(split), strict=True):
        mine = [row for row in np.argsort(times) if users[row] == user]
        assert found == {items[row] for row in mine[-2:]}


def test_rows_sorted_by_item_say_nothing_about_time():
    rng = np.random.default_rng(0)
    train = {f"u{u}": [str(i) for i in sorted(rng.permutation(300)[:10])] for u in range(40)}
    split = fixed(lists(train), lists({"u0": ["777"]}), seed=0, validation=1.0)
    assert split.facts["validation"].startswith("a random 20%")
    assert (
        sum(found == set(train[u][-2:]) for u, found in zip(split.train_users, hidden_items(split), strict=True)) < 10
    )
