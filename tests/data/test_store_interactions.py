"""What people did: kept once, as it came, in the order it happened, on both engines."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest

from data.records import EARLIEST, LATEST, Added, Batch
from data.store import Store
from recsys.errors import DataError
from recsys.interactions import NO_TIME, Interactions

DAY = 86_400_000_000
NOON = 1_700_000_000_000_000


def some(count: int = 4) -> Interactions:
    return Interactions.from_lists(
        [f"u{n % 3}" for n in range(count)],
        [f"i{n}" for n in range(count)],
        ["rating", "click"][:1] * count,
        [float(n) for n in range(count)],
        [NOON + n for n in range(count)],
    )


def rows(interactions: Interactions) -> set[tuple[str, str, str, str, int]]:
    """Every row as a tuple; the value as text, so that "none" equals itself."""
    columns = (column.decode().tolist() for column in (interactions.user, interactions.item, interactions.event))
    return set(zip(*columns, map(repr, interactions.value.tolist()), interactions.time.tolist(), strict=True))


def test_events_come_back_as_they_were_sent(store: Store) -> None:
    sent = Interactions.from_lists(
        ["ann", "ann", "böb", "ann"],
        ["x", "y", "x", "日本"],
        ["rating", "click", "watch", "rating"],
        [4.5, np.nan, 1e-300, -0.25],
        [NOON, NO_TIME, EARLIEST, LATEST - 1],
    )
    assert store.add(sent) == Added(received=4, added=4, repeated=0, new_users=2, new_items=3)
    found = store.interactions()
    assert rows(found) == rows(sent)
    assert sorted(found.user.labels) == ["ann", "böb"]


def test_the_same_event_is_one_event_however_often_it_is_sent(store: Store) -> None:
    store.add(some())
    assert store.add(some()) == Added(received=4, added=0, repeated=4)
    assert len(store.interactions()) == 4


def test_events_that_differ_in_value_time_or_type_are_several(store: Store) -> None:
    events = Interactions.from_lists(
        ["u"] * 5, ["i"] * 5, ["a", "a", "a", "b", "a"], [1, 2, 1, 1, np.nan], [NOON, NOON, NOON + 1, NOON, NO_TIME]
    )
    assert store.add(events).added == 5


def test_a_negative_zero_is_the_same_value_as_zero(store: Store) -> None:
    both = Interactions.from_lists(["u", "u"], ["i", "i"], values=[0.0, -0.0])
    assert store.add(both).added == 1


def test_a_key_makes_equal_events_two_and_unequal_ones_one(store: Store) -> None:
    equal = Interactions.from_lists(["u", "u"], ["i", "i"], values=[1, 1], keys=["a", "b"])
    assert store.add(equal).added == 2
    same_key = Interactions.from_lists(["v"], ["j"], values=[9], keys=["a"])
    assert store.add(same_key) == Added(received=1, added=0, repeated=1, new_users=1, new_items=1)
    assert store.history("u").key.tolist() == ["a", "b"]  # type: ignore[union-attr]


def test_a_history_is_the_users_own_oldest_first_with_timeless_events_before_all(store: Store) -> None:
    store.add(
        Interactions.from_lists(
            ["u", "u", "w", "u"], ["c", "a", "x", "b"], ["rating"] * 4, [3, 1, 9, 2], [NOON + 5, NOON, NOON, NO_TIME]
        )
    )
    history = store.history("u")
    assert history.item.decode().tolist() == ["b", "a", "c"]
    assert history.value.tolist() == [2, 1, 3]
    assert history.time.tolist() == [NO_TIME, NOON, NOON + 5]
    assert history.key is None
    assert len(store.history("nobody")) == 0


def test_bounds_in_time_take_the_first_moment_and_leave_the_last(store: Store) -> None:
    store.add(Interactions.from_lists(["u"] * 4, list("abcd"), times=[NOON, NOON + DAY, NOON + 2 * DAY, NO_TIME]))

    def items(**bounds: int) -> list[str]:
        return sorted(store.interactions(**bounds).item.decode().tolist())

    assert items() == list("abcd")
    assert items(since=NOON + DAY) == ["b", "c"]
    assert items(until=NOON + DAY) == ["a"]
    assert items(since=NOON, until=NOON + 2 * DAY) == ["a", "b"]


def test_an_empty_store_gives_empty_answers(store: Store) -> None:
    assert len(store.interactions()) == 0
    assert store.add(Interactions.empty()) == Added()
    assert store.stats().span is None
    assert store.marks().items == 0


HOSTILE = {
    "nul in a user": {"users": ["a\0b"]},
    "nul in an item": {"items": ["a\0b"]},
    "nul in an event type": {"events": ["a\0b"]},
    "a line break": {"users": ["a\nb"]},
    "a lone surrogate": {"users": ["a\ud800b"]},
    "an empty id": {"items": [""]},
    "an id of 256 characters": {"users": ["x" * 256]},
    "an event type of 65 characters": {"events": ["x" * 65]},
    "an infinite value": {"values": [np.inf]},
    "a negative infinite value": {"values": [-np.inf]},
    "milliseconds taken for microseconds times 1000": {"times": [1_700_000_000_000_000_000]},
    "a time before 1900": {"times": [EARLIEST - 1]},
    "the largest 64-bit time": {"times": [2**63 - 1]},
    "a key of 256 characters": {"keys": ["x" * 256]},
    "a nul in a key": {"keys": ["a\0"]},
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("way", ["add", "add_once", "import"])
def test_what_one_engine_could_not_hold_is_refused_by_both(store: Store, kind: str, way: str) -> None:
    row = {
        "users": ["good"],
        "items": ["good"],
        "events": ["rating"],
        "values": [1.0],
        "times": [NOON],
        **HOSTILE[kind],
    }
    bad = Interactions.from_lists(**row)  # type: ignore[arg-type]
    ways = {
        "add": lambda: store.add(bad),
        "add_once": lambda: store.add_once("key", "digest", bad, asdict),
        "import": lambda: store.import_batches("file", [Batch(some()), Batch(bad)]),
    }
    with pytest.raises(DataError):
        ways[way]()
    assert (store.stats().users, store.stats().interactions) == (0, 0)


def test_an_id_of_255_wide_characters_is_taken(store: Store) -> None:
    wide = "\U0001f3ac" * 255
    assert store.add(Interactions.from_lists([wide], ["i"])).added == 1
    assert store.history(wide).item.decode().tolist() == ["i"]


def test_ids_that_look_like_code_are_only_ids(store: Store) -> None:
    ids = ["'; drop table users; --", '"', "\\", "%", "_", ":name", "{}", "null", "NaN", "\\N", "a\\tb", "1", "1.0"]
    assert store.add(Interactions.from_lists(ids, ids)).new_users == len(ids)
    assert {id_: store.history(id_).item.decode().tolist() for id_ in ids} == {id_: [id_] for id_ in ids}


def test_labels_that_no_row_uses_do_not_come_into_the_store(store: Store) -> None:
    kept = Interactions.from_lists(["good", "bad\0"], ["i", "unused"]).take(np.array([0]))
    assert store.add(kept) == Added(received=1, added=1, repeated=0, new_users=1, new_items=1)


def test_threads_that_write_at_once_lose_nothing_and_double_nothing(url: str) -> None:
    def post(worker: int) -> None:
        for number in range(10):
            store.add(some(3 + number))
            store.add(Interactions.from_lists([f"w{worker}"] * 2, [f"i{number}", f"own {worker} {number}"]))

    with Store.open(url, wait=60) as store, ThreadPoolExecutor(6) as pool:
        list(pool.map(post, range(6)))
        stats = store.stats()
    assert stats.interactions == len(some(12)) + 6 * 10 * 2
    assert stats.users == 3 + 6
    assert stats.items == 12 + 6 * 10


def test_writers_that_name_the_same_new_ids_in_opposite_orders_do_not_block_each_other(store: Store) -> None:
    failures: list[BaseException] = []
    ids = [f"id{number}" for number in range(300)]

    def post(names: list[str]) -> None:
        try:
            store.add(Interactions.from_lists(names, names[::-1]))
        except BaseException as error:  # noqa: BLE001  # a thread's failure must fail the test, not vanish
            failures.append(error)

    threads = [threading.Thread(target=post, args=(ids[::step],)) for step in (1, -1, 1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.stats().interactions == len(ids)
