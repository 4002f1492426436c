"""Splits: nobody and nothing is on two sides, the seed alone decides, and every count is in the facts."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.evaluation.protocols import fixed, strong
from recsys.evaluation.split import Split, describe
from recsys.interactions import Interactions
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
    timed = [
        Interactions.from_lists([user, user], [item, "x"], times=times)
        for user, item, times in (("a", "y", [30, 10]), ("a", "z", [50, 20]))
    ]
    assert fixed(*timed, seed=0).data["span"] == [10, 50]


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
