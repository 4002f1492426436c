"""Change counts: what caches compare moves with every change, and what is read by them misses none."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from data.gate import FileGate
from data.records import Batch, ItemRecord, ItemState, Marks, UserRecord
from data.store import Store
from data.transactions import BULK, writing
from recsys.errors import DataError, SchemaMismatch, StoreError
from recsys.interactions import Interactions

NOON = 1_700_000_000_000_000


def events(*pairs: tuple[str, str], value: float = 1) -> Interactions:
    users, items = zip(*pairs, strict=True)
    return Interactions.from_lists(users, items, values=[value] * len(pairs))


def test_an_empty_store_has_marks(store: Store) -> None:
    assert store.marks() == store.marks("nobody") == Marks(0, 0, -1)


ADDING: dict[str, Callable[[Store, Interactions], object]] = {
    "add": lambda store, rows: store.add(rows),
    "import": lambda store, rows: store.import_batches("f", [Batch(rows)]),
}


@pytest.mark.parametrize("way", ADDING)
def test_new_events_move_the_mark_of_their_users_and_of_nobody_else(store: Store, way: str) -> None:
    store.put_users([UserRecord("idle")])
    seen = {user: [store.marks(user).user] for user in ("a", "b", "idle")}
    for rows in (
        events(("a", "x"), ("b", "x")),
        events(("a", "y"), ("b", "x")),
        events(("a", "x"), ("b", "y"), value=2),
    ):
        ADDING[way](store, rows)
        for user, marks in seen.items():
            marks.append(store.marks(user).user)
    assert seen["a"] == sorted(set(seen["a"]))
    assert len(set(seen["b"])) >= 3
    assert len(set(seen["idle"])) == 1


@pytest.mark.parametrize("way", ADDING)
def test_a_repeated_event_moves_no_mark(store: Store, way: str) -> None:
    ADDING[way](store, events(("a", "x")))
    before = store.marks("a")
    ADDING[way](store, events(("a", "x")))
    assert store.marks("a") == before


def test_events_in_bulk_move_the_marks_of_known_users(store: Store) -> None:
    store.add(events(("u0", "x"), ("u1", "x"), ("idle", "x")))
    before = {user: store.marks(user).user for user in ("u0", "u1", "idle")}
    rows = Interactions.from_lists([f"u{n % 500}" for n in range(BULK)], ["y"] * BULK, values=np.arange(BULK) * 1.0)
    store.add(rows)
    after = {user: store.marks(user).user for user in before}
    assert after["u0"] > before["u0"]
    assert after["u1"] > before["u1"]
    assert after["idle"] == before["idle"]
    assert store.marks("u499").user > 0


def test_a_users_record_moves_their_mark_when_it_changes(store: Store) -> None:
    marks = [store.marks("a").user]
    for age in (1, 2, 3):
        store.put_users([UserRecord("a", {"age": age})])
        marks.append(store.marks("a").user)
    assert marks == sorted(set(marks))
    store.put_users([UserRecord("a", {"age": 3})])
    assert store.marks("a").user == marks[-1]


def test_a_mark_grows_also_where_the_clock_stands_still(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("data.changes", "data.writes", "data.numbering"):
        monkeypatch.setattr(f"{module}.now", lambda: NOON)
    marks = []
    for number in range(3):
        store.add(events(("a", f"i{number}")))
        store.put_users([UserRecord("a", {"n": number})])
        marks.append(store.marks("a").user)
    assert marks == sorted(set(marks))


def test_somebody_forgotten_who_comes_again_has_a_mark_never_seen(store: Store) -> None:
    store.add(events(("a", "x")))
    before = store.marks("a").user
    store.forget("a")
    assert store.marks("a").user == -1
    store.add(events(("a", "x")))
    assert store.marks("a").user > before


def test_everybody_forgotten_is_counted_once_whoever_deletes_them(store: Store) -> None:
    store.add(events(("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")))
    store.put_users([UserRecord("e")])
    before = store.marks("b")
    assert before.forgotten == 0
    assert store.forget("a")
    assert not store.forget("a")
    assert not store.forget("nobody")
    assert store.marks("b") == replace(before, forgotten=1)
    assert store.forget("e")
    assert store.marks().forgotten == 2
    with store.engine.execution_options(writes=True).begin() as connection:  # by hand
        connection.execute(text("delete from interactions"))
        connection.execute(text("delete from users where external_id <> 'd'"))
    assert store.marks().forgotten == 4
    store.add(events(("a", "x"), ("d", "y")))
    assert store.marks().forgotten == 4


def test_a_deletion_that_is_undone_is_not_counted(store: Store) -> None:
    store.put_users([UserRecord("a")])
    with store.engine.execution_options(writes=True).connect() as connection, connection.begin() as undone:
        assert connection.execute(text("delete from users")).rowcount == 1
        undone.rollback()
    assert store.marks("a").user > 0
    assert store.marks().forgotten == 0


def test_an_id_that_no_database_can_hold_is_not_a_database_that_is_away(postgresql_url: str) -> None:
    with Store.open(postgresql_url, patience=5.0) as store:
        before = store.marks("a")
        (cursor,) = store._quick._idle
        for use in (store.marks, store.history):
            with pytest.raises(DataError, match="NUL"):
                use("a\0b")
            assert store._quick._idle == [cursor], "the connection is as good as before"
        assert store.marks("a") == before
        fresh = Store.open(postgresql_url)
        with pytest.raises(DataError, match="NUL"):
            fresh.marks("\0")
        fresh.close()


def test_items_that_changed_are_told_with_the_count_they_belong_to(store: Store) -> None:
    assert store.items_changed(-1) == (0, [])
    store.put_items([ItemRecord("a", "A", ("c",), {"k": 1}, created=NOON), ItemRecord("b", hidden=True, created=NOON)])
    first, states = store.items_changed(-1)
    assert first == store.marks().items
    assert states == [
        ItemState(ItemRecord("a", "A", ("c",), {"k": 1}, created=NOON)),
        ItemState(ItemRecord("b", hidden=True, created=NOON)),
    ]
    assert store.items_changed(first) == (first, [])
    store.add(events(("u", "new"), ("u", "a")))
    second, states = store.items_changed(first)
    assert (second, [state.record.id for state in states]) == (first + 1, ["new"])
    store.delete_item("a")
    third, states = store.items_changed(second)
    assert [(state.record.id, state.record.title, state.deleted) for state in states] == [("a", None, True)]
    assert store.put_items([ItemRecord("b", hidden=True)]) == 0
    assert store.items_changed(third) == (third, [])
    assert [state.record.id for state in store.items_changed(first)[1]] == ["a", "new"]


def test_new_items_in_bulk_are_told(store: Store) -> None:
    rows = Interactions.from_lists(["u"] * BULK, [f"i{n % 700}" for n in range(BULK)], values=np.arange(BULK) * 1.0)
    store.import_batches("f", [Batch(rows)], items=[ItemRecord("i0", "Title"), ItemRecord("extra")])
    count, states = store.items_changed(0)
    assert len(states) == 701
    assert store.items_changed(count) == (count, [])


def test_whoever_applies_changes_in_order_misses_none(url: str) -> None:
    """Writers at work, a reader beside them: at the end it knows of every item, the last title of each."""
    known: dict[str, str | None] = {}
    ended = threading.Event()

    with Store.open(url, wait=60) as store, ThreadPoolExecutor(4) as pool:

        def read() -> int:
            count, reads = -1, 0
            while True:
                last = ended.is_set()
                count, states = store.items_changed(count)
                known.update({state.record.id: state.record.title for state in states})
                reads += bool(states)
                if last:
                    return reads

        def write(worker: int) -> None:
            for number in range(8):
                store.put_items([ItemRecord(f"{worker}-{number % 5}", f"{number}"), ItemRecord("shared", f"{worker}")])
                store.add(events((f"u{worker}", f"{worker}-{number}-seen")))

        reading = pool.submit(read)
        try:
            for writing in [pool.submit(write, worker) for worker in range(3)]:
                writing.result()
        finally:
            ended.set()
        assert reading.result() > 1  # or there was nothing to miss
        assert known == {item.id: item.title for item in store.list_items(limit=1000)}


def test_writers_that_touch_the_same_users_in_opposite_orders_do_not_block_each_other(url: str) -> None:
    users = [f"u{number}" for number in range(200)]
    with Store.open(url, wait=60) as store, ThreadPoolExecutor(4) as pool:
        store.add(Interactions.from_lists(users, ["x"] * len(users)))

        def post(worker: int) -> None:
            for turn in range(4):
                store.add(Interactions.from_lists(users[:: (-1) ** worker], [f"{worker}-{turn}"] * len(users)))

        for done in [pool.submit(post, worker) for worker in range(4)]:
            done.result()
        assert store.stats().interactions == 200 * 17


def test_items_made_before_there_were_counts_are_among_all(store: Store) -> None:
    store.put_items([ItemRecord("old")])
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("update items set changed = 0"))
    assert [state.record.id for state in store.items_changed(-1)[1]] == ["old"]


def test_many_threads_ask_at_once(store: Store) -> None:
    store.add(events(("a", "x"), ("b", "y")))

    def ask(user: str) -> int:
        return sum(len(store.history(user)) + (store.marks(user).user > 0) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, ["a", "b"] * 8)) == [100] * 16


def test_a_question_that_fails_is_a_store_error_and_the_next_one_works(store: Store) -> None:
    store.marks()
    with pytest.raises(SchemaMismatch):
        store._quick.rows("select 1 from no_such_table")
    assert store.marks() == Marks(0, 0, -1)


def test_quick_connections_make_way_for_the_bulk_lane_and_come_again(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        store.marks()
        gate = FileGate.of(Path(store.engine.url.database or ""))
        with gate.alone() as free:
            assert free
        store.marks()
        store.close()
        with gate.alone() as free:
            assert free


def test_quick_connections_that_the_server_has_ended_are_replaced(postgresql_url: str) -> None:
    with Store.open(postgresql_url) as store, Store.open(postgresql_url) as other:
        with ThreadPoolExecutor(4) as pool:  # several connections
            list(pool.map(lambda _: store.marks(), range(40)))
        ending = text(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        with other.engine.connect() as connection:
            assert connection.execute(ending).scalar_one() >= 1
        assert store.marks("nobody").user == -1


def test_a_locked_database_still_answers_quick_questions(sqlite_url: str) -> None:
    with Store.open(sqlite_url, wait=0.1) as store:
        store.add(events(("a", "x")))
        with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
            with pytest.raises(StoreError, match="locked"):
                store.add(events(("a", "y")))
            assert store.marks("a").user > 0
            assert len(store.history("a")) == 1


def test_threads_take_turns_in_writing_to_a_file(sqlite_url: str) -> None:
    with Store.open(sqlite_url, wait=30.0) as store:
        gate = FileGate.of(Path(store.engine.url.database or ""))
        with gate.turn(5.0) as left:
            assert 0 < left <= 5.0
            with pytest.raises(sqlite3.OperationalError, match="locked"), gate.turn(0.01):
                raise AssertionError("two write at a time")
            waiting = threading.Thread(target=store.add, args=(Interactions.from_lists(["u"], ["i"]),))
            waiting.start()
            waiting.join(0.2)
            assert store.stats().interactions == 0
        waiting.join(30)
        assert store.stats().interactions == 1


def test_waiting_for_other_threads_leaves_less_for_other_processes(sqlite_url: str) -> None:
    with Store.open(sqlite_url, wait=20.0) as store:
        with writing(store.engine) as connection:
            (first,) = connection.exec_driver_sql("pragma busy_timeout").one()
        gate = FileGate.of(Path(store.engine.url.database or ""))
        found: list[int] = []

        def write() -> None:
            with writing(store.engine) as connection:
                found.extend(connection.exec_driver_sql("pragma busy_timeout").one())

        with gate.turn(5.0):
            waiting = threading.Thread(target=write)
            waiting.start()
            waiting.join(0.3)
        waiting.join(30)
        assert 0 < found[0] < first <= 20_000
