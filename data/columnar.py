"""Everything the store holds as columns, for training: a million rows a second and more, no Python object a row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, Engine

from data.adbc import adbc_cursor
from data.engine import in_words
from data.gate import FileGate
from recsys.interactions import NO_TIME, Encoded, Interactions

SMALL_FILE = 8_000_000  # bytes; under it the standard library is done before pyarrow is imported
_CHUNK = 100_000
_LABELS = (
    "select id, external_id from users",
    "select id, external_id from items",
    "select id, name from event_types",
)
_FROM = " from interactions where coalesce(time, cast('-9223372036854775808' as bigint)) between {0} and {0}"
_COLUMNS = (
    "select user_id, item_id, event_id, coalesce(value, {}), coalesce(time, cast('-9223372036854775808' as bigint))"
)
_COUNT = "select count(*)" + _FROM
# "No value" while it travels: SQLite has no NaN, and infinity is never stored; PostgreSQL has NaN.
_SQLITE = _COLUMNS.format("9e999") + _FROM.format("?")
_POSTGRESQL = _COLUMNS.format("cast('NaN' as double precision)") + _FROM.format("%s")

# user, item, event as int64 ids of the database; value float64; time int64.
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Bounds = tuple[int, int]


class Reader(Protocol):
    """One snapshot of the database."""

    def labels(self, sql: str) -> tuple[np.ndarray, np.ndarray]: ...
    def count(self, bounds: Bounds) -> int: ...
    def events(self, bounds: Bounds) -> Iterator[Columns]: ...


def read_interactions(engine: Engine, since: int | None, until: int | None) -> Interactions:
    """All events, or those with since <= time < until (microseconds): then events without a time are left out.

    The sender's keys are not read. Labels are those in use. Raises StoreError.
    """
    bounded = since is not None or until is not None
    low = since if since is not None else NO_TIME + bounded
    bounds = (int(low), int(until) - 1 if until is not None else int(np.iinfo(np.int64).max))
    with _reader(engine) as reader:
        numbers, labels = zip(*(_numbered(*reader.labels(sql)) for sql in _LABELS), strict=True)
        count = reader.count(bounds)
        codes = [np.empty(count, dtype=np.int32) for _ in _LABELS]
        value, time = np.empty(count), np.empty(count, dtype=np.int64)
        at = 0
        for *ids, values, times in reader.events(bounds):
            rows = slice(at, at + len(values))
            for column, number, id_ in zip(codes, numbers, ids, strict=True):
                column[rows] = number[id_]
            value[rows], time[rows] = values, times
            at += len(values)
    value[np.isposinf(value)] = np.nan
    user, item, event = (_in_use(column, names) for column, names in zip(codes, labels, strict=True))
    return Interactions(user, item, event, value, time)


def _numbered(ids: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(a table from id to code, labels): ids come from a counter, so the table is hardly longer than the labels."""
    table = np.full(int(ids.max(initial=0)) + 1, -1, dtype=np.int32)
    table[ids] = np.arange(len(ids), dtype=np.int32)
    return table, labels


def _in_use(codes: np.ndarray, labels: np.ndarray) -> Encoded:
    used = np.zeros(len(labels), dtype=bool)
    used[codes] = True
    return Encoded((np.cumsum(used, dtype=np.int32) - np.int32(1))[codes], labels[used])


@contextmanager
def _reader(engine: Engine) -> Iterator[Reader]:
    if engine.dialect.name == "sqlite":
        file = Path(str(engine.url.database))
        if file.exists() and file.stat().st_size > SMALL_FILE:
            with FileGate.of(file).alone() as free:
                if free:
                    with adbc_cursor(engine, file) as cursor:
                        cursor.execute("begin")
                        yield AdbcReader(cursor)
                        cursor.execute("commit")
                    return
    with in_words(engine), engine.connect() as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            yield SqliteReader(connection)
        else:
            connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
            yield PostgresReader(connection)


class SqliteReader:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def labels(self, sql: str) -> tuple[np.ndarray, np.ndarray]:
        rows = self.connection.exec_driver_sql(sql).fetchall()
        labels = np.empty(len(rows), dtype=object)
        labels[:] = [label for _, label in rows]
        return np.array([id_ for id_, _ in rows], dtype=np.int64), labels

    def count(self, bounds: Bounds) -> int:
        return int(self.connection.exec_driver_sql(_COUNT.format("?"), bounds).scalar_one())

    def events(self, bounds: Bounds) -> Iterator[Columns]:
        cursor: Any = self.connection.connection.cursor()
        cursor.execute(_SQLITE, bounds)
        while rows := cursor.fetchmany(_CHUNK):
            user, item, event, value, time = zip(*rows, strict=True)
            ids = (np.array(column, dtype=np.int64) for column in (user, item, event))
            yield (*ids, np.array(value, dtype=np.float64), np.array(time, dtype=np.int64))  # type: ignore[misc]
        cursor.close()


class AdbcReader:
    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": _CHUNK})

    def labels(self, sql: str) -> tuple[np.ndarray, np.ndarray]:
        self.cursor.execute(sql)
        ids, labels = self.cursor.fetch_arrow_table().columns
        if not len(ids):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=object)
        return ids.to_numpy(), labels.to_numpy()

    def count(self, bounds: Bounds) -> int:
        self.cursor.execute(_COUNT.format("?"), bounds)
        return int(self.cursor.fetchone()[0])

    def events(self, bounds: Bounds) -> Iterator[Columns]:
        self.cursor.execute(_SQLITE, bounds)
        for batch in self.cursor.fetch_record_batch():
            user, item, event, value, time = (column.to_numpy() for column in batch.columns)
            yield user, item, event, value, time


class PostgresReader(SqliteReader):
    def count(self, bounds: Bounds) -> int:
        return int(self.connection.exec_driver_sql(_COUNT.format("%s"), bounds).scalar_one())

    def events(self, bounds: Bounds) -> Iterator[Columns]:
        """By binary COPY: rows of one size, since no column is null here, between a head and a tail of two bytes."""
        driver: Any = self.connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"copy ({_POSTGRESQL}) to stdout (format binary)", bounds) as copy:
            messages = iter(copy)
            waiting = next(messages)[_COPY_HEAD:]
            while more := list(islice(messages, _CHUNK)):
                waiting = b"".join([waiting, *more])
                whole = len(waiting) // _COPY_ROW.itemsize
                rows = np.frombuffer(waiting, dtype=_COPY_ROW, count=whole)
                waiting = waiting[whole * _COPY_ROW.itemsize :]
                yield rows["user"], rows["item"], rows["event"], rows["value"], rows["time"]


_COPY_HEAD = 19
_COPY_ROW = np.dtype(
    [("fields", ">i2")]
    + [
        field
        for name, kind in (("user", ">i8"), ("item", ">i8"), ("event", ">i8"), ("value", ">f8"), ("time", ">i8"))
        for field in ((f"length of {name}", ">i4"), (name, kind))
    ]
)
