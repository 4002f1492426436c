"""What is trending, who did the same things: against sums and counts made in Python from the same events."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from data.engine import _pragmas as prepare
from data.records import ItemRecord
from data.store import Store
from recsys.interactions import NO_TIME, Interactions

NOON = 1_700_000_000_000_000
HOUR = 3_600_000_000


@pytest.fixture
def crowd(store: Store) -> tuple[Store, Interactions]:
    rng = np.random.default_rng(5)
    count = 900
    rows = Interactions.from_lists(
        [f"u{n}" for n in rng.integers(0, 30, count)],
        [f"i{n}" for n in rng.zipf(1.4, count) % 60],
        values=rng.integers(1, 6, count).astype(float),
        times=np.where(rng.random(count) < 0.05, NO_TIME, NOON - rng.integers(0, 200, count) * HOUR),
    )
    store.add(rows)
    return store, store.interactions()


def touched(rows: Interactions) -> dict[str, set[str]]:
    items: dict[str, set[str]] = {}
    for user, item in zip(rows.user.decode(), rows.item.decode(), strict=True):
        items.setdefault(user, set()).add(item)
    return items


def test_trending_sums_what_each_event_is_still_worth(crowd: tuple[Store, Interactions]) -> None:
    store, rows = crowd
    store.put_items([ItemRecord("i1", hidden=True)])
    store.delete_item("i2")
    since, half_life = NOON - 150 * HOUR, 36.0 * HOUR
    sums: dict[str, float] = {}
    for item, time in zip(rows.item.decode(), rows.time.tolist(), strict=True):
        if since <= time <= NOON - HOUR and item not in ("i1", "i2"):
            sums[item] = sums.get(item, 0) + 0.5 ** ((NOON - HOUR - time) / half_life)
    found = store.trending(NOON - HOUR, half_life, since, 1000)
    assert dict(found) == pytest.approx(sums)
    assert [weight for _, weight in found] == sorted((weight for _, weight in found), reverse=True)
    assert store.trending(NOON - HOUR, half_life, since, 3) == found[:3]


def test_trending_bears_events_that_are_worth_nothing_any_more(store: Store) -> None:
    store.add(Interactions.from_lists(["u", "u", "u"], ["a", "b", "c"], times=[0, NOON, NOON + 1]))
    store.add(Interactions.from_lists(["v"], ["d"], times=[NOON]))
    found = store.trending(NOON, 1.5, 0, 9)
    assert [item for item, _ in found] == ["b", "d", "a"]  # ties: the item that came first; "c" is yet to happen
    assert found[0][1] == 1
    assert found[2][1] < 1e-200


def test_neighbours_are_counted_by_the_items_they_share(crowd: tuple[Store, Interactions]) -> None:
    store, rows = crowd
    items = touched(rows)
    counts = {user: len(items["u3"] & theirs) for user, theirs in items.items() if user != "u3"}
    found = store.neighbours("u3", 100)
    assert dict(found) == {user: count for user, count in counts.items() if count}
    assert [count for _, count in found] == sorted(counts.values(), reverse=True)[: len(found)]
    assert store.neighbours("u3", 4) == found[:4]
    assert store.neighbours("nobody", 4) == []


def test_the_items_shared_are_those_counted_the_latest_first(crowd: tuple[Store, Interactions]) -> None:
    store, rows = crowd
    found = dict(store.neighbours("u3", 100))
    items = touched(rows)
    shared = store.shared("u3", [*found, "nobody"])
    assert shared.pop("nobody") == []
    assert {user: len(ids) for user, ids in shared.items()} == found
    assert all(set(ids) == items["u3"] & items[user] for user, ids in shared.items())
    mine = store.history("u3")
    latest = {item: int(mine.time[mine.item.decode() == item].max()) for item in items["u3"]}
    for ids in shared.values():
        assert [latest[item] for item in ids] == sorted((latest[item] for item in ids), reverse=True)
    assert store.shared("nobody", ["u3"]) == {"u3": []}
    assert store.shared("u3", []) == {}


def test_only_the_latest_items_of_a_long_history_count(store: Store) -> None:
    items = [f"i{number}" for number in range(250)]
    store.add(Interactions.from_lists(["long"] * 250, items, times=[NOON + number for number in range(250)]))
    store.add(Interactions.from_lists(["old", "new", "edge"], ["i0", "i249", "i50"]))
    assert sorted(store.neighbours("long", 9)) == [("edge", 1), ("new", 1)]
    assert store.shared("long", ["old", "new"]) == {"old": [], "new": ["i249"]}


def test_people_who_touched_both_are_counted_once(crowd: tuple[Store, Interactions]) -> None:
    store, rows = crowd
    items = touched(rows)
    others = [f"i{number}" for number in range(2, 12)]
    expected = {other: sum("i1" in theirs and other in theirs for theirs in items.values()) for other in others}
    assert store.both("i1", [*others, "none"]) == {**expected, "none": 0}
    assert store.both("none", ["i1"]) == {"i1": 0}
    assert store.both("i1", []) == {}


def test_a_sqlite_without_functions_for_numbers_gets_the_one_needed() -> None:
    class Bare(sqlite3.Connection):
        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            if "power" in sql and not given:
                raise sqlite3.OperationalError("no such function: power")
            return super().execute(sql, *parameters)

        def create_function(self, name: str, *rest: object, **options: object) -> None:
            given.append(name)
            super().create_function(name, *rest, **options)  # type: ignore[arg-type]

    given: list[str] = []
    with closing(sqlite3.connect(":memory:", factory=Bare)) as connection:
        prepare(connection, None)
        assert connection.execute("select power(0.5, 2)").fetchone() == (0.25,)
    assert given == ["power"]
