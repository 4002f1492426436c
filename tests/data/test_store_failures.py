"""A database that cannot be used is a StoreError in words, soon, and never a half-done write."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, text

from data.adbc import AdbcLane
from data.engine import SQLITE_PAGE
from data.gate import FileGate
from data.lanes import SqliteLane
from data.records import Batch, ItemRecord
from data.store import Store
from data.transactions import BULK, bulk_writing, writing
from recsys.errors import DataError, SchemaMismatch, SettingError, StoreError
from recsys.interactions import Interactions

ROOT = Path(__file__).resolve().parents[2]
ONE = Interactions.from_lists(["u"], ["i"])


def many(rows: int = BULK) -> Interactions:
    return Interactions.from_lists(
        [f"u{n % 999}" for n in range(rows)], [f"i{n % 77}" for n in range(rows)], values=np.arange(rows) * 1.0
    )


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "postgresql+psycopg2://h/n"]
)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(SettingError):
        Store.open(url, create=True)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    with Store.open("postgresql://me:secret%25@127.0.0.1:1/none") as store, pytest.raises(StoreError) as raised:
        store.ping()
    assert "secret" not in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        Store.open(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("not a database, but a text long enough to be looked at " * 50)
    before = file.read_bytes()
    with Store.open(f"sqlite:///{file}") as store:
        for use in (store.ping, store.stats, lambda: store.add(ONE), lambda: store.add(many())):
            with pytest.raises(StoreError, match="not a SQLite database"):
                use()
    assert file.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_an_error_in_words(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}") as store, pytest.raises(StoreError, match="cannot be opened"):
        store.ping()


def test_a_database_without_tables_is_a_schema_mismatch(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'new.db'}", create=True) as store:
        store.ping()
        for use in (store.stats, lambda: store.add(ONE), lambda: store.add(many()), store.interactions):
            with pytest.raises(SchemaMismatch, match="no such table"):
                use()


LOCKING = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1])
    connection.execute("begin immediate")
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("rows", [1, BULK])
def test_a_database_locked_by_another_process_is_named_after_the_wait(
    sqlite_url: str, tmp_path: Path, rows: int
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(LOCKING), str(tmp_path / "store.db")]
    with (
        Store.open(sqlite_url, wait=0.2) as store,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        start = time.perf_counter()
        with pytest.raises(StoreError, match="locked"):
            store.add(many(rows))
        assert time.perf_counter() - start < 4
        store.stats()  # reading goes on
        other.communicate("")
        assert store.add(many(rows)).added == rows


def test_a_full_disk_is_named_and_the_store_recovers(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        with store.engine.connect() as connection:  # the pool hands this very connection out again
            pages = connection.exec_driver_sql("pragma page_count").scalar_one()
            connection.exec_driver_sql(f"pragma max_page_count = {pages}")
        with pytest.raises(StoreError, match="full"):
            store.add(many(5_000))
        assert store.stats().interactions == 0
        with store.engine.connect() as connection:
            connection.exec_driver_sql("pragma max_page_count = 1000000")
        assert store.add(many(5_000)).added == 5_000


UNWRITABLE = """
    import os, sys
    from pathlib import Path
    import sqlalchemy.dialects.sqlite.pysqlite
    from data.store import Store
    from recsys.errors import StoreError
    from recsys.interactions import Interactions
    if os.getuid() == 0:  # root may write anywhere: become somebody who may not, once everything is imported
        os.setgid(65534), os.setuid(65534)
    try:
        with Store.open(sys.argv[1], create=True) as store:
            store.add(Interactions.from_lists(["u"], ["i"]))
    except StoreError as error:
        print(error)
"""


@pytest.mark.parametrize("what", ["file", "folder", "missing folder"])
def test_what_may_not_be_written_is_an_error_in_words(migrated_file: Path, what: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # not under tmp_path, which only its owner may enter
        folder, file = Path(name), Path(name) / "store.db"
        shutil.copy(migrated_file, file)
        file.chmod(0o444)
        folder.chmod(0o777 if what == "file" else 0o555)
        target = folder / "new" / "store.db" if what == "missing folder" else file
        command = [sys.executable, "-c", textwrap.dedent(UNWRITABLE), f"sqlite:///{target}"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "read-only" in done.stdout or "cannot be" in done.stdout, done.stdout
    assert len(done.stdout.strip().split("\n")) <= 3


def test_an_unreachable_postgresql_is_an_error_within_two_seconds_or_so() -> None:
    with Store.open("postgresql://postgres@127.0.0.1:1/none") as store, pytest.raises(StoreError, match="reached"):
        store.ping()


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word, like a server that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_postgresql_that_never_answers_is_an_error_in_a_few_seconds(silent_server: int) -> None:
    start = time.perf_counter()
    with Store.open(f"postgresql://postgres@127.0.0.1:{silent_server}/none") as store, pytest.raises(StoreError):
        store.ping()
    assert time.perf_counter() - start < 5


def test_a_database_of_that_name_there_is_not(postgresql_url: str) -> None:
    url = postgresql_url.rsplit("/", 1)[0] + "/recsys_there_is_no_such_database"
    with Store.open(url) as store, pytest.raises(StoreError, match="does not exist"):
        store.ping()


def test_connections_that_the_server_has_closed_are_replaced(postgresql_url: str) -> None:
    with Store.open(postgresql_url) as store, Store.open(postgresql_url) as other:
        store.ping()
        with other.engine.connect() as connection:
            closed = connection.execute(
                text(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
            ).scalar_one()
        assert closed >= 1
        store.ping()


def test_the_bulk_lane_is_left_alone_with_the_file_or_not_taken(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store, Store.open(sqlite_url) as second:
        second.ping()
        with bulk_writing(store.engine, BULK) as lane:
            assert isinstance(lane, AdbcLane)  # idle connections were closed, those of another store too
        with second.engine.connect(), bulk_writing(store.engine, BULK) as lane:
            assert type(lane) is SqliteLane
        with bulk_writing(store.engine, BULK - 1) as lane:
            assert type(lane) is SqliteLane


def test_a_connection_opened_during_the_bulk_lane_waits_for_its_end(sqlite_url: str) -> None:
    order: list[str] = []
    with Store.open(sqlite_url) as store:
        with FileGate.of(Path(store.engine.url.database or "")).alone() as free:
            assert free
            thread = threading.Thread(target=lambda: (store.ping(), order.append("read")))
            thread.start()
            thread.join(0.2)
            order.append("bulk ended")
        thread.join()
    assert order == ["bulk ended", "read"]


def test_reading_and_writing_in_bulk_beside_other_threads_keeps_the_file_whole(sqlite_url: str, tmp_path: Path) -> None:
    failures: list[BaseException] = []
    with Store.open(sqlite_url, wait=20) as store:

        def work(number: int) -> None:
            try:
                for turn in range(4):
                    store.add(Interactions.from_lists([f"w{number}"], [f"own{turn}"]))
                    store.import_batches("f", [Batch(many())])
                    store.interactions()
            except BaseException as error:  # noqa: BLE001  # a thread's failure must fail the test, not vanish
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert store.stats().interactions == BULK + 12
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("pragma foreign_key_check").fetchall() == []


def test_sqlite_is_opened_as_durable_as_promised(sqlite_url: str) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "page_size": SQLITE_PAGE}
    with Store.open(sqlite_url) as store, store.engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"pragma {name}").scalar_one() for name in wanted}
    assert found == wanted


@pytest.mark.parametrize("fails", [False, True])
def test_a_connection_waits_for_others_after_a_write_as_it_did_before(sqlite_url: str, fails: bool) -> None:
    def busy_timeout(connection: Connection) -> int:
        return int(connection.exec_driver_sql("pragma busy_timeout").scalar_one())

    with Store.open(sqlite_url, wait=3.0) as store:
        with suppress(DataError), writing(store.engine) as connection:
            used = connection.connection.driver_connection
            assert busy_timeout(connection) < 3_000  # what is left of the wait: some of it is over
            if fails:
                raise DataError("made to fail")
        with store.engine.connect() as connection:
            assert connection.connection.driver_connection is used
            assert busy_timeout(connection) == 3_000


def test_a_write_that_starts_after_another_began_waits_its_turn(sqlite_url: str) -> None:
    """A transaction that reads first and writes later would fail here at once (SQLITE_BUSY_SNAPSHOT)."""
    with Store.open(sqlite_url) as store:
        store.add(ONE)
        threads = [
            threading.Thread(target=lambda n=n: store.put_items([ItemRecord("i", str(n))]))  # type: ignore[misc]
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.marks().items == 1 + 8


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """The change to WAL is refused at once where two ask for it: without asking again, some of these fail."""

    def open_one(file: Path, together: threading.Barrier) -> None:
        with Store.open(f"sqlite:///{file}", create=True) as store:
            together.wait()
            store.ping()

    with ThreadPoolExecutor(4) as pool:
        for number in range(60):
            together = threading.Barrier(4)
            opened = [pool.submit(open_one, tmp_path / f"{number}.db", together) for _ in range(4)]
            for one in opened:
                one.result()
