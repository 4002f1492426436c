"""The engine: how a database is opened, and its failures in words."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Executable, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from data.gate import FileGate, GatedConnection
from data.patience import Patience
from recsys.errors import SchemaMismatch, SettingError, StoreError

CONNECT_SECONDS = 2  # a database that is not there is an error within this time
LONGER = 10  # times the usual patience for a question that reads all events, or all items
SQLITE_PAGE = 16_384  # bytes, for a file yet to be made: bulk inserts are a quarter faster than in pages of 4096


def open_engine(url: str, *, create: bool = False, wait: float = 5.0, patience: float | None = None) -> Engine:
    """An engine for a SQLite file or a PostgreSQL database, its schema as it is.

    wait: seconds to wait for another writer before the database counts as locked. patience: seconds to wait for an
    answer of PostgreSQL, and for all answers that one write needs, None for as long as it takes (see data.patience).
    Raises SettingError for a URL of another kind, StoreError when the SQLite file is missing and create is False, or
    cannot be made.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, create, wait)
        if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
            return _postgresql(parsed.set(drivername="postgresql+psycopg"), wait, patience)
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingError("this is not a database URL", where=shown(url), do=_URLS) from error
    raise SettingError(f"databases of the kind '{parsed.drivername}' are not supported", where=shown(url), do=_URLS)


_URLS = "use sqlite:///path/to/recsys.db or postgresql://user:password@host/name"


def shown(url: str | URL) -> str:
    """A URL for people: without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "the database URL"


def _sqlite(url: URL, create: bool, wait: float) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:") or url.query:
        raise SettingError("SQLite needs a file of its own", where=shown(url), do="use sqlite:///path/to/recsys.db")
    file = Path(url.database).absolute()
    if not file.exists():
        if not create:
            raise StoreError("there is no database", where=str(file), do="run `recsys db upgrade` to make one")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder for the database cannot be made: {error.strerror}",
                where=str(file.parent),
                do="make it writable, or name another place",
            ) from error
    gate = FileGate.of(file)

    def connect() -> sqlite3.Connection:
        # isolation_level=None: transactions begin where `_begin` says so, not where sqlite3 guesses.
        return GatedConnection(str(file), gate=gate, timeout=wait, isolation_level=None, check_same_thread=False)

    engine = create_engine(
        url.set(drivername="sqlite", database=str(file)),
        creator=connect,
        json_serializer=to_json,
        hide_parameters=True,  # ids of people are nothing for a log
        execution_options={"wait": wait},
    )
    gate.engines.add(engine)
    event.listen(engine, "connect", _pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _pragmas(connection: sqlite3.Connection, record: object) -> None:
    connection.execute(f"pragma page_size = {SQLITE_PAGE}")
    _use_wal(connection)
    for pragma in (
        "synchronous = full",  # NORMAL lost acknowledged events in power cuts
        "foreign_keys = on",
        "secure_delete = on",  # what is forgotten is overwritten, not only unlinked
    ):
        connection.execute(f"pragma {pragma}")
    try:
        connection.execute("select power(0.5, 1)")
    except sqlite3.OperationalError:  # a SQLite library built without its functions for numbers
        connection.create_function("power", 2, math.pow, deterministic=True)


def _use_wal(connection: sqlite3.Connection) -> None:
    """The one change of mode in a file's life. Processes that open a new file together refuse each other at once, as
    SQLite does not wait where waiting could be a deadlock: so it is asked again for as long as the connection waits."""
    (milliseconds,) = connection.execute("pragma busy_timeout").fetchone()
    end = time.monotonic() + milliseconds / 1000
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(0.01)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another wrote in between, whatever the
    # timeout (SQLITE_BUSY_SNAPSHOT). Those that mean to write take the lock at their start.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")


def _postgresql(url: URL, wait: float, seconds: float | None) -> Engine:
    patience = None if seconds is None else Patience(seconds)
    if seconds is not None:
        wait = min(wait, 0.8 * seconds)  # that a row is locked is an answer, and has to come in time
    engine = create_engine(
        url,
        pool_pre_ping=True,  # after a restart of the server the next request works again
        pool_timeout=CONNECT_SECONDS if seconds is None else min(CONNECT_SECONDS, seconds),
        json_serializer=to_json,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "options": f"-c lock_timeout={int(wait * 1000)}"},
        execution_options={"patience": patience},
    )
    if patience is not None:
        event.listen(engine, "do_connect", lambda dialect, record, args, options: patience.connect(*args, **options))
    return engine


def to_json(value: Any) -> str:
    """The same text for the same content, so that an upsert can tell that nothing changed."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@contextmanager
def in_words(engine: Engine) -> Iterator[None]:
    """Turn a database's failures inside the block into StoreError or SchemaMismatch."""
    try:
        yield
    except DBAPIError as error:
        raise explained(error.orig or error, engine) from error
    except PoolTimeout as error:
        raise StoreError(
            "all connections to the database are busy", where=shown(engine.url), do="try again in a moment"
        ) from error
    except engine.dialect.dbapi.Error as error:  # type: ignore[union-attr]  # an engine that is open has a driver
        raise explained(error, engine) from error


def in_time(engine: Engine) -> AbstractContextManager[None]:
    """For a write: where the engine has patience, no more of it for all questions inside together than for one."""
    patience: Patience | None = engine.get_execution_options().get("patience")
    return nullcontext() if patience is None else patience.within(patience.seconds)


def rows_of(engine: Engine, asked: Executable, *, long: bool = False) -> Sequence[Any]:
    """The answer to one question, in a snapshot of its own. long: it may take longer than others. Raises StoreError."""
    with in_words(engine), engine.connect() as connection:
        patience = engine.get_execution_options().get("patience")
        with patience.of(LONGER * patience.seconds) if long and patience is not None else nullcontext():
            return connection.execute(asked).all()


_SQLITE = (
    ("locked", "the database is locked: another process is writing to it", "wait for it to end, then try again"),
    ("readonly", "the database is read-only", "make the file and its folder writable, or name another database"),
    ("read-only", "the database is read-only", "make the file and its folder writable, or name another database"),
    ("unable to open", "the database file cannot be opened", "check that its folder exists and may be written to"),
    ("permission denied", "the database file cannot be opened", "check that its folder exists and may be written to"),
    ("disk is full", "the disk is full; nothing was stored", "free some space, then try again"),
    ("no space left", "the disk is full; nothing was stored", "free some space, then try again"),
    ("not a database", "this file is not a SQLite database", "name another file; this one was not changed"),
    (
        "malformed",
        "the database file is damaged",
        "restore it from a backup; `recsys import` rebuilds it from the files",
    ),
)
_SCHEMA_WORDS = ("no such table", "no such column", "has no column named")
_POSTGRESQL = {
    "53100": ("the database's disk is full; nothing was stored", "free some space on it, then try again"),
    "53300": ("the database takes no more connections", "try again, or raise its max_connections"),
    "55P03": ("the database is locked: another process is writing to it", "wait for it to end, then try again"),
    "25006": ("the database is read-only", "name another database, or connect to its primary server"),
    "40P01": ("two writers waited for each other; nothing was stored", "try again"),
    "42501": ("the database user may not do this", "grant it the rights on the database's tables"),
}


def explained(error: BaseException, engine: Engine) -> StoreError:
    """A driver's error as one of ours."""
    where = shown(engine.url)
    diagnosis = getattr(error, "diag", None)  # of PostgreSQL; its further lines hold values of rows: people's ids
    text = " ".join((getattr(diagnosis, "message_primary", None) or str(error)).split())
    code = getattr(error, "sqlstate", None)
    if code in ("42P01", "42703") or any(words in text for words in _SCHEMA_WORDS):
        return SchemaMismatch(
            f"the database's tables are of another version: {text}", where=where, do="run `recsys db upgrade`"
        )
    if code in _POSTGRESQL:
        what, do = _POSTGRESQL[code]
        return StoreError(what, where=where, do=do)
    if type(error).__module__.startswith("psycopg"):
        if code is None or code.startswith(("08", "57P")):
            return StoreError(
                f"the database cannot be reached: {text}", where=where, do="check that it runs, and the URL"
            )
        return StoreError(f"the database refused: {text}", where=where, do="see the database's own log")
    for words, what, do in _SQLITE:
        if words in text.lower():
            return StoreError(what, where=where, do=do)
    return StoreError(f"the database failed: {text}", where=where, do="see whether the disk is healthy and not full")
