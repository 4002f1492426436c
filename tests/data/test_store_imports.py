"""An import is one transaction: all of it, or none, however it ends; and a second time it changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from data.records import BadRow, Batch, Imported, ItemRecord, UserRecord
from data.spool import Spool
from data.store import Store
from data.transactions import BULK
from recsys.errors import DataError, StoreError
from recsys.interactions import NO_TIME, Encoded, Interactions

ROOT = Path(__file__).resolve().parents[2]


def history_of(rows: int, seed: int = 0, keyed: bool = False) -> Interactions:
    """Rows of every kind: with and without value, time and key, several types, some of them twice."""
    rng = np.random.default_rng(seed)

    def labels(prefix: str, count: int) -> np.ndarray:
        column = np.empty(count, dtype=object)
        column[:] = [f"{prefix}{number}é" for number in range(count)]
        return column

    keys = None
    if keyed:
        keys = np.empty(rows, dtype=object)
        keys[:] = [f"key é {number}" if number % 3 else "" for number in range(rows)]
    different = Interactions(
        Encoded(rng.integers(0, rows // 20, rows).astype(np.int32), labels("u", rows // 20)),
        Encoded(rng.integers(0, 300, rows).astype(np.int32), labels("i", 300)),
        Encoded(rng.integers(0, 3, rows).astype(np.int32), labels("e", 3)),
        np.where(rng.random(rows) < 0.2, np.nan, rng.integers(0, 5, rows).astype(np.float64)),
        np.where(rng.random(rows) < 0.2, NO_TIME, 1_700_000_000_000_000 + rng.integers(0, 9, rows)),
        keys,
    )
    return different.take(rng.integers(0, rows, rows))


def content(store: Store) -> list[list[tuple[object, ...]]]:
    """Everything in the database but the moments at which it was written."""
    questions = (
        "select u.external_id, i.external_id, t.name, x.value, x.time, x.key, x.fingerprint from interactions x"
        " join users u on u.id = x.user_id join items i on i.id = x.item_id join event_types t on t.id = x.event_id",
        "select external_id, attributes from users",
        "select external_id, title, categories, attributes, hidden, deleted from items",
        "select file, line, reason, text, digest from quarantine",
        "select source, sha256, received, added, new_users, new_items, quarantined from imports",
    )
    with store.engine.connect() as connection:
        return [sorted(map(tuple, connection.execute(text(asked))), key=repr) for asked in questions]


def pieces(interactions: Interactions, size: int, bad: int = 0) -> Iterator[Batch]:
    for number, start in enumerate(range(0, len(interactions), size)):
        rows = [BadRow("log.csv", number * 10 + line, "no item", f"u1,,{line}") for line in range(bad)]
        yield Batch(interactions.take(np.s_[start : start + size]), rows)


@pytest.mark.parametrize("keyed", [False, True])
def test_the_bulk_lane_stores_what_the_small_lane_stores(store: Store, tmp_path: Path, keyed: bool) -> None:
    import migrations

    rows = history_of(BULK + 1234, keyed=keyed)
    with Store.open(f"sqlite:///{tmp_path / 'small.db'}", create=True) as small:
        migrations.upgrade(small.engine)
        added = [small.add(rows.take(np.s_[at : at + 5_000])) for at in range(0, len(rows), 5_000)]
        expected = content(small)[0]
    assert store.add(rows) == sum(added[1:], added[0])
    assert added[0].repeated > 0
    assert content(store)[0] == expected


@pytest.mark.parametrize("keyed", [False, True])
def test_a_spool_hands_out_in_spans_of_users_what_it_took_in_pieces(tmp_path: Path, keyed: bool) -> None:
    rows = history_of(4_000, keyed=keyed)
    with Spool(tmp_path, piece=700) as spool:
        for batch in pieces(rows, 333):
            spool.add(batch.interactions)
        spans = list(spool.ranges(500))
        names = [list(labels.numbers) for labels in (spool.vocabulary.users, spool.vocabulary.items)]
    assert len(spans) > 3
    assert all(set(one.user.tolist()).isdisjoint(other.user.tolist()) for one, other in pairwise(spans))

    def told(user: str, item: str, value: float, time: int, key: str) -> tuple[str, ...]:
        return user, item, repr(value), str(time), key

    found = [
        told(names[0][user], names[1][item], value, time, key)
        for span in spans
        for user, item, value, time, key in zip(
            span.user.tolist(),
            span.item.tolist(),
            span.value.tolist(),
            span.time.tolist(),
            [""] * len(span) if span.key is None else span.key.tolist(),
            strict=True,
        )
    ]
    keys = [""] * len(rows) if rows.key is None else rows.key.tolist()
    sent = [
        told(*row)
        for row in zip(
            rows.user.decode(), rows.item.decode(), rows.value.tolist(), rows.time.tolist(), keys, strict=True
        )
    ]
    assert sorted(found) == sorted(sent)


def test_a_piece_without_keys_and_one_with_keys_share_a_spool(store: Store) -> None:
    batches = [
        Batch(history_of(400, seed=1)),
        Batch(history_of(400, seed=2, keyed=True)),
        Batch(history_of(400, seed=3)),
    ]
    store.import_batches("f", batches)
    keyed = sum(row[5] is not None for row in content(store)[0])
    assert 0 < keyed <= 400


@pytest.mark.parametrize("size", [600, BULK + 2_000])
def test_importing_a_file_again_changes_nothing(store: Store, size: int) -> None:
    rows = history_of(size)

    def again() -> Imported:
        return store.import_batches(
            "log.csv",
            pieces(rows, size // 3, bad=2),
            items=[ItemRecord("i1é", "One", ("a",), {"n": 1}), ItemRecord("unseen", "Nobody's")],
            users=[UserRecord("u1é", {"age": 30})],
            sha256="0" * 64,
        )

    first = again()
    before, stamp = content(store), store.marks().items
    assert first.received == size
    assert first.added == len(before[0]) == size - first.repeated
    assert (first.new_users, first.new_items) == (len(before[1]), len(before[2]))
    assert (first.quarantined, first.new_quarantined) == (len(before[3]), len(before[3]))
    assert (first.changed_items, first.changed_users) == (2, 1)
    assert len(before[4]) == 1
    second = again()
    assert (content(store), store.marks().items) == (before, stamp)
    assert second == Imported(size, 0, size, 0, 0, first.quarantined, 0, 0, 0)


def test_an_import_undoes_no_decision_made_here(store: Store) -> None:
    def load() -> None:
        items = [ItemRecord("a", "A"), ItemRecord("b", "B"), ItemRecord("c", "C")]
        store.import_batches("f", [Batch(Interactions.from_lists(["u"] * 3, ["a", "b", "c"]))], items=items)

    load()
    store.put_items([ItemRecord("a", "A", hidden=True)])
    store.delete_item("b")
    load()
    _, states = store.items_changed(-1)
    assert {state.record.id: (state.record.hidden, state.deleted) for state in states} == {
        "a": (True, False),
        "b": (False, True),
        "c": (False, False),
    }
    assert store.item("b") is None


@pytest.mark.parametrize("size", [600, BULK + 2_000])
def test_an_exception_from_the_reader_leaves_the_store_as_it_was(store: Store, size: int) -> None:
    store.import_batches("old", pieces(history_of(300, seed=5), 100, bad=1))
    before = content(store)

    def broken() -> Iterator[Batch]:
        yield from pieces(history_of(size), 500, bad=1)
        raise DataError("the fault fired")

    with pytest.raises(DataError, match="the fault fired"):
        store.import_batches("new", broken())
    assert content(store) == before


@pytest.mark.parametrize("size", [600, BULK + 2_000])
def test_a_fault_inside_the_transaction_leaves_the_store_as_it_was(
    store: Store, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.import_batches("old", pieces(history_of(300, seed=5), 100, bad=1))
    before = content(store)

    def broken(*arguments: object, **options: object) -> int:
        raise RuntimeError("the fault fired")

    with monkeypatch.context() as patch:
        patch.setattr("data.writes.put_items", broken)  # called after the rows have been written
        with pytest.raises(RuntimeError, match="the fault fired"):
            store.import_batches("new", pieces(history_of(size), 500, bad=1))
    assert content(store) == before
    assert store.import_batches("new", pieces(history_of(size), 500, bad=1)).added > 0


KILLED = """
    import sys, os, signal
    import data.writes as writes
    from data.store import Store
    sys.path.insert(0, sys.argv[3])
    from test_store_imports import history_of, pieces
    original = writes.put_items
    def dying(lane, *arguments, **options):
        [(rows,)] = lane.select("select count(*) from interactions")
        print(rows, type(lane).__name__, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[4] == "die":
        writes.put_items = dying
    with Store.open(sys.argv[1]) as store:
        print(store.import_batches("new", pieces(history_of(int(sys.argv[2])), 5_000, bad=1)).added, flush=True)
"""


@pytest.mark.parametrize("size", [2_000, 120_000])
def test_an_import_killed_in_its_transaction_leaves_nothing_and_can_be_run_again(
    url: str, tmp_path: Path, size: int
) -> None:
    def run(fate: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", textwrap.dedent(KILLED), url, str(size), str(Path(__file__).parent), fate]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    killed = run("die")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    written, lane = killed.stdout.split()
    assert int(written) > size // 2  # the fault fired with the rows written, and not yet kept
    assert lane == {True: "PostgresLane", False: "AdbcLane" if size >= BULK else "SqliteLane"}[url.startswith("p")]
    with Store.open(url) as store:
        assert content(store) == [[], [], [], [], []]
    left = {file.name for file in tmp_path.iterdir()}
    assert left <= {"store.db", "store.db-wal", "store.db-shm"}  # no spool lies about
    again = run("live")
    assert again.returncode == 0, again.stderr
    with Store.open(url) as store:
        assert store.stats().interactions == int(again.stdout)


def test_bad_rows_of_any_text_can_be_kept(store: Store) -> None:
    bad = [BadRow("\udcff.csv", 3, "undecodable", "a\0b\ud800" + "x" * 5000), BadRow("f", 0, "?", "")]
    done = store.import_batches("\udcff.csv", [Batch(Interactions.empty(), bad)])
    assert done.new_quarantined == 2
    first, second = content(store)[3]
    assert str(first[3]).startswith("a\\x00b\\ud800xxx")
    assert len(str(first[3])) < 1100
    assert second[:4] == ("f", 0, "?", "")


def test_a_spool_that_cannot_be_written_is_an_error_in_words(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    class Full:
        seek = flush = close = staticmethod(lambda *arguments: 0)
        write = staticmethod(full)

    original = Spool.__init__

    def broken(self: Spool, *arguments: object, **options: object) -> None:
        original(self, *arguments, **options)  # type: ignore[arg-type]
        self._rows = Full()  # type: ignore[assignment]

    monkeypatch.setattr(Spool, "__init__", broken)
    with pytest.raises(StoreError, match="No space left on device"):
        store.import_batches("f", pieces(history_of(300), 100))
    assert content(store)[0] == []


def test_items_are_kept_as_json_both_engines_read_alike(store: Store) -> None:
    attributes = {"b": [1, 2.5, None, True], "a": {"ü": "\U0001f3ac", "q": '"', "big": 2**60}}
    store.put_items([ItemRecord("i", attributes=attributes)])
    item = store.item("i")
    assert item is not None
    assert json.dumps(item.attributes, sort_keys=True) == json.dumps(attributes, sort_keys=True)
