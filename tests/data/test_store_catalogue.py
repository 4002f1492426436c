"""Items and users: put, changed, hidden, deleted, forgotten, counted."""

from __future__ import annotations

import pytest

from data.records import BadRow, Batch, ItemRecord, ItemState, UserRecord
from data.store import Store
from recsys.errors import DataError
from recsys.interactions import Interactions

NOON = 1_700_000_000_000_000
ALIEN = ItemRecord("alien", "Alien", ("Horror", "Sci-Fi"), {"year": 1979, "cast": ["Weaver"]}, created=NOON)


def test_an_item_comes_back_as_it_was_put(store: Store) -> None:
    assert store.put_items([ALIEN]) == 1
    assert store.item("alien") == ALIEN
    assert store.item("other") is None
    assert store.titles(["alien", "other"]) == {"alien": "Alien"}


def test_putting_an_item_again_counts_and_stamps_only_a_change(store: Store) -> None:
    store.put_items([ALIEN])
    stamp = store.marks().items
    assert store.put_items([ALIEN, ItemRecord("alien", "Alien", ALIEN.categories, ALIEN.attributes)]) == 0
    assert store.marks().items == stamp
    assert store.put_items([ItemRecord("alien", "Aliens", hidden=True)]) == 1
    assert store.marks().items != stamp
    assert store.item("alien") == ItemRecord("alien", "Aliens", hidden=True, created=NOON)


def test_the_stamp_moves_when_an_item_is_added_hidden_or_deleted(store: Store) -> None:
    stamps = [store.marks().items]
    for change in (
        lambda: store.add(Interactions.from_lists(["u"], ["a"])),
        lambda: store.put_items([ItemRecord("a", hidden=True)]),
        lambda: store.delete_item("a"),
    ):
        change()
        stamps.append(store.marks().items)
    assert len(set(stamps)) == 4
    store.add(Interactions.from_lists(["u2"], ["a"]))
    assert store.marks().items == stamps[-1]


def test_a_deleted_item_is_gone_for_people_but_never_shown_and_keeps_its_events(store: Store) -> None:
    store.put_items([ALIEN, ItemRecord("brazil", "Brazil")])
    store.add(Interactions.from_lists(["u"], ["alien"]))
    assert store.delete_item("alien") is True
    assert store.delete_item("alien") is False
    assert store.item("alien") is None
    assert [item.id for item in store.list_items()] == ["brazil"]
    assert store.items_changed(-1)[1][0] == ItemState(ItemRecord("alien", created=NOON), deleted=True)
    assert len(store.interactions()) == 1
    assert store.stats().items == 1
    store.put_items([ALIEN])
    assert store.item("alien") == ALIEN
    assert not any(state.deleted for state in store.items_changed(-1)[1])


def test_items_are_listed_in_pages(store: Store) -> None:
    store.put_items([ItemRecord(f"i{number}") for number in range(7)])
    pages = [[item.id for item in store.list_items(offset, 3)] for offset in (0, 3, 6, 9)]
    assert pages == [["i0", "i1", "i2"], ["i3", "i4", "i5"], ["i6"], []]


def test_more_items_are_asked_for_than_fit_one_question(store: Store) -> None:
    ids = [f"i{number}" for number in range(1234)]
    store.put_items([ItemRecord(id_) for id_ in ids])
    assert set(store.items([*ids, "none"])) == set(ids)


def test_users_are_put_and_changed(store: Store) -> None:
    assert store.put_users([UserRecord("ann", {"age": 30}, NOON)]) == 1
    assert store.put_users([UserRecord("ann", {"age": 30})]) == 0
    assert store.put_users([UserRecord("ann", {"age": 31})]) == 1
    assert store.user("ann") == UserRecord("ann", {"age": 31}, NOON)
    assert store.user("bob") is None


@pytest.mark.parametrize(
    "item",
    [
        ItemRecord(""),
        ItemRecord("a\0"),
        ItemRecord("a", "title\0"),
        ItemRecord("a", "\ud800"),
        ItemRecord("a", "x" * 1001),
        ItemRecord("a", categories=["c\n"]),
        ItemRecord("a", categories=["c"] * 101),
        ItemRecord("a", attributes={"x": float("nan")}),
        ItemRecord("a", attributes={"x": "\0"}),
        ItemRecord("a", attributes={"x": "\ud800"}),
        ItemRecord("a", attributes={"x": "y" * 70_000}),
        ItemRecord("a", attributes={"x": object()}),
        ItemRecord("a", created=2**63),
    ],
)
def test_an_item_that_one_engine_could_not_hold_is_refused_by_both(store: Store, item: ItemRecord) -> None:
    with pytest.raises(DataError):
        store.put_items([ItemRecord("good"), item])
    assert store.list_items() == []


def test_stats_count_what_there_is(store: Store) -> None:
    store.put_items([ItemRecord("lonely")])
    bad = [BadRow("f", 2, "r", "t")]
    times = [NOON, NOON + 7, NOON + 3]
    store.import_batches("f", [Batch(Interactions.from_lists(["a", "a", "b"], ["x", "y", "x"], times=times), bad)])
    stats = store.stats()
    assert (stats.users, stats.items, stats.items_with_interactions) == (2, 3, 2)
    assert (stats.interactions, stats.quarantined, stats.span) == (3, 1, (NOON, NOON + 7))
