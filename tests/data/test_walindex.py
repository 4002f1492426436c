"""What SQLite's shared memory says of changes: a state that stays means that nothing was committed, whoever wrote."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

import migrations
from data.records import ItemRecord
from data.store import Store
from data.walindex import WalIndex
from recsys.interactions import Interactions

ELSEWHERE = (
    "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).executescript(sys.argv[2])"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recsys.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{file}", create=True) as opened:
        migrations.upgrade(opened.engine)
        assert not elsewhere(file, "create table numbers (x)").returncode
        yield opened


def watched(store: Store) -> WalIndex:
    found = store.watch()
    assert found is not None
    return found


def elsewhere(file: Path, statements: str) -> subprocess.CompletedProcess[str]:
    """Statements in another process."""
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(file), statements], capture_output=True, text=True, check=False
    )


def events(user: str) -> Interactions:
    return Interactions.from_lists([user], ["i"])


def test_reading_leaves_the_state_as_it_is(store: Store, file: Path) -> None:
    index = watched(store)
    before = index.state()
    assert before is not None
    for _ in range(3):
        store.marks("u")
        store.interactions()
        assert not elsewhere(file, "select * from users").returncode
    store.add(events("u").take(slice(0, 0)))
    assert index.state() == before


def test_every_commit_makes_another_state(store: Store, file: Path) -> None:
    index = watched(store)
    states = [index.state()]
    store.add(events("u"))
    states.append(index.state())
    store.put_items([ItemRecord("i", title="one")])
    states.append(index.state())
    with Store.open(f"sqlite:///{file}") as other:
        other.add(events("v"))
    states.append(index.state())
    for statements in (
        "update users set attributes = '[1]'",
        "begin; delete from interactions; commit",
        "pragma user_version = 7",
        "vacuum",
        "create table more (x)",
    ):
        assert not elsewhere(file, statements).returncode
        states.append(index.state())
    assert None not in states
    assert len(set(states)) == len(states)


def test_commits_are_seen_when_the_log_begins_again(store: Store, file: Path) -> None:
    index = watched(store)
    seen = set()
    for number in range(5):
        store.add(events(f"u{number}"))
        seen.add(index.state())
        with store.engine.connect() as connection:
            busy, *_ = connection.execute(text("pragma wal_checkpoint(truncate)")).one()
        assert not busy
    assert not elsewhere(file, "pragma wal_checkpoint(restart); insert into numbers values (1)").returncode
    seen.add(index.state())
    assert len(seen - {None}) == 6


def test_an_equal_state_means_equal_content_whatever_happens(store: Store, file: Path) -> None:
    index, choose = watched(store), random.Random(0)
    other = sqlite3.connect(file, isolation_level=None)
    other.executescript("create table more (x)")
    held: dict[bytes, list[tuple[int]]] = {}
    for number in range(400):
        act = choose.choice(["insert", "rolled back", "delete", "checkpoint", "nothing", "closed"])
        if act == "insert":
            other.execute("insert into numbers values (?)", (number,))
        elif act == "rolled back":
            other.executescript("begin; insert into numbers values (-1); rollback")
        elif act == "delete":
            other.execute("delete from numbers where x % 3 = 0")
        elif act == "checkpoint":
            other.execute(f"pragma wal_checkpoint({choose.choice(['passive', 'full', 'restart', 'truncate'])})")
        elif act == "closed":
            other.close()
            other = sqlite3.connect(file, isolation_level=None)
        state = index.state()
        assert state is not None
        content = sqlite3.Connection.execute(other, "select x from numbers order by x").fetchall()
        assert held.setdefault(state, content) == content
    assert len(held) > 50
    other.close()


def test_watching_leaves_this_process_its_locks(store: Store, file: Path) -> None:
    watched(store)
    held = sqlite3.connect(file, isolation_level=None)
    held.execute("begin immediate")
    watched(store)
    assert "locked" in elsewhere(file, "insert into numbers values (1)").stderr
    held.execute("commit")
    assert not elsewhere(file, "insert into numbers values (1)").returncode
    held.close()


def test_the_index_outlives_the_stores(store: Store, file: Path) -> None:
    index = watched(store)
    store.close()
    before = index.state()
    assert not elsewhere(file, "insert into numbers values (1)").returncode
    assert index.state() not in (None, before)


def test_a_database_that_is_not_in_wal_mode_has_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.engine.url.__class__, "database", "/nowhere/recsys.db", raising=False)
    assert store.watch() is None


@pytest.mark.parametrize("header", [b"a" * 96, b"a" * 48 + b"b" * 48])
def test_while_the_two_copies_differ_nothing_is_known(header: bytes) -> None:
    state = WalIndex(header).state()  # type: ignore[arg-type]  # bytes are sliced as a mapping is
    assert state == (header[:48] if header[:48] == header[48:] else None)


def test_postgresql_has_none(fresh_postgresql) -> None:
    with fresh_postgresql() as url, Store.open(url) as store:
        assert store.watch() is None
