"""Write transactions: how they begin and end, and which lane the writes take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from data.adbc import adbc_writing
from data.engine import in_time, in_words
from data.gate import FileGate
from data.lanes import Lane, SqliteLane
from data.postgresql import PostgresLane

BULK = 20_000  # from so many rows on, ADBC is worth its start
_WRITERS = 0x7265_6373_7973  # an arbitrary number that names a lock


@contextmanager
def writing(engine: Engine, *, alone: bool = False) -> Iterator[Connection]:
    """A write transaction: kept when the block ends, undone when it raises. Failures of the database are StoreErrors.

    alone: on PostgreSQL, wait until no other writer is busy and keep new ones waiting (on SQLite it is always so); it
    may take as long as its questions do. Any other has the patience for one question, where there is patience at all.
    """
    whole = nullcontext() if alone else in_time(engine)
    with in_words(engine), whole, _turn(engine) as left, engine.connect().execution_options(writes=True) as connection:
        if engine.dialect.name == "sqlite":
            with _waiting(connection, left), connection.begin():
                yield connection
            return
        with connection.begin():
            lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
            connection.execute(text(f"select {lock}({_WRITERS})"))
            yield connection


@contextmanager
def _waiting(connection: Connection, seconds: float) -> Iterator[None]:
    """Another wait for other processes than the usual one, on a connection to a SQLite file."""
    raw: Any = connection.connection.driver_connection
    (usual,) = raw.execute("pragma busy_timeout").fetchone()
    raw.execute(f"pragma busy_timeout = {int(seconds * 1000)}")
    try:
        yield
    finally:
        raw.execute(f"pragma busy_timeout = {usual}")


def _turn(engine: Engine) -> AbstractContextManager[float]:
    """This process's turn to write to a SQLite file, with the seconds left to wait for other processes."""
    if engine.dialect.name != "sqlite":
        return nullcontext(0.0)
    gate = FileGate.of(Path(str(engine.url.database)))
    return gate.turn(engine.get_execution_options()["wait"])


@contextmanager
def bulk_writing(engine: Engine, rows: int) -> Iterator[Lane]:
    """`writing` for so many rows. Many of them go through ADBC's lane, twice as fast, into a SQLite file that nothing
    else in this process has open (see FileGate for why it has to be alone); else it is the usual lane."""
    many = rows >= BULK
    if many and engine.dialect.name == "sqlite":
        file = Path(str(engine.url.database))
        with FileGate.of(file).alone() as free:
            if free:
                with adbc_writing(engine, file) as lane:
                    yield lane
                return
    with writing(engine) as connection:
        tuned = many and engine.dialect.name == "postgresql"
        if tuned:
            _trust(connection)
        yield lane_of(connection)
        if tuned:
            connection.execute(text("analyze users, items, interactions"))  # the planner took them for empty


def lane_of(connection: Connection) -> SqliteLane:
    """The lane for a connection inside `writing`."""
    return PostgresLane(connection) if connection.dialect.name == "postgresql" else SqliteLane(connection)


def _trust(connection: Connection) -> None:
    """Check no foreign keys in this transaction, where the database user may say so: every number is looked up in it,
    and `forget`, the only one to delete any, waits for its end. Three times as fast."""
    try:
        with connection.begin_nested():
            connection.execute(text("set local session_replication_role = replica"))
    except ProgrammingError:
        return  # only a superuser may; then they are checked
