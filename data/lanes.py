"""Lanes: three ways to run the store's writes as one transaction, from one event a request to millions of rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, Engine, text

from data.engine import FileGate, explained, in_words
from recsys.interactions import NO_TIME

Column = Sequence[Any] | np.ndarray
BULK = 20_000  # from so many rows on, ADBC is worth its start
_LOOKED_UP = 50_000  # ids looked up by one statement


class Lane(Protocol):
    """One write transaction. SQL is written once, for SQLite and PostgreSQL, with parameters as ``:name``.

    concurrent: other writers may be at work. Who inserts the same things as they must do so in the same order, or two
    wait for each other for ever.
    """

    concurrent: bool

    def select(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]: ...

    def each(self, sql: str, **columns: Column) -> int:
        """Run a statement once a row of the columns. The number of rows of the database that it changed."""

    def numbers(self, table: str, column: str, labels: Sequence[str]) -> np.ndarray:
        """(n,) int64 ids of distinct labels in a table, -1 for labels it does not hold."""

    def events(
        self,
        user: np.ndarray,
        item: np.ndarray,
        fingerprint: np.ndarray,
        event: np.ndarray,
        value: np.ndarray,
        time: np.ndarray,
        key: np.ndarray | None,
    ) -> int:
        """Store events, (n,) each, as database ids. The number of those that were not there yet."""


@contextmanager
def writing(engine: Engine, *, alone: bool = False) -> Iterator[Connection]:
    """A write transaction: kept when the block ends, undone when it raises. Failures of the database are StoreErrors.

    alone: on PostgreSQL, wait until no other writer is busy and keep new ones waiting (on SQLite it is always so).
    """
    with in_words(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
            connection.execute(text(f"select {lock}({_WRITERS})"))
        yield connection


_WRITERS = 0x7265_6373_7973  # an arbitrary number that names the lock


@contextmanager
def bulk_writing(engine: Engine, rows: int) -> Iterator[Lane]:
    """`writing` for so many rows. Many of them go through ADBC's lane, nearly twice as fast, into a SQLite file that
    nothing else in this process has open (see FileGate for why it has to be alone); else it is the usual lane."""
    if engine.dialect.name == "sqlite" and rows >= BULK:
        file = Path(str(engine.url.database))
        with FileGate.of(file).alone() as free:
            if free:
                with _adbc(engine, file) as lane:
                    yield lane
                return
    with writing(engine) as connection:
        yield lane_of(connection)


def lane_of(connection: Connection) -> SqliteLane:
    """The lane for a connection inside `writing`."""
    return PostgresLane(connection) if connection.dialect.name == "postgresql" else SqliteLane(connection)


class SqliteLane:
    """Through SQLAlchemy's connection; rows go to the driver's executemany."""

    concurrent = False
    _find = "select j.key, t.id from json_each(:labels) j join {table} t on t.{column} = j.value"

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def select(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(text(sql), parameters)]

    def each(self, sql: str, **columns: Column) -> int:
        lists = [_plain(column) for column in columns.values()]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]
        return self.connection.execute(text(sql), rows).rowcount if rows else 0

    def numbers(self, table: str, column: str, labels: Sequence[str]) -> np.ndarray:
        found = np.full(len(labels), -1, dtype=np.int64)
        for start in range(0, len(labels), _LOOKED_UP):
            asked = json.dumps(labels[start : start + _LOOKED_UP], ensure_ascii=False)
            rows = self.select(self._find.format(table=table, column=column), labels=asked)
            if rows:
                at, ids = np.array(rows, dtype=np.int64).T
                found[start + at] = ids
        return found

    def events(
        self,
        user: np.ndarray,
        item: np.ndarray,
        fingerprint: np.ndarray,
        event: np.ndarray,
        value: np.ndarray,
        time: np.ndarray,
        key: np.ndarray | None,
    ) -> int:
        times: list[int | None] = time.tolist()
        if (time == NO_TIME).any():
            times = [None if at == NO_TIME else at for at in times]
        keys = repeat(None) if key is None else (text or None for text in key.tolist())
        columns = (user.tolist(), item.tolist(), fingerprint.tolist(), event.tolist(), value.tolist(), times, keys)
        driver: Any = self.connection.connection.driver_connection
        return int(driver.executemany(_INSERT, zip(*columns, strict=False)).rowcount)  # a NaN is stored as NULL


_INSERT_HEAD = "insert or ignore into interactions (user_id, item_id, fingerprint, event_id, value, time)"
_INSERT = _INSERT_HEAD.replace(")", ", key)") + " values (?, ?, ?, ?, ?, ?, ?)"
_TOGETHER = 16


class AdbcLane:
    """Through ADBC: Arrow columns are bound in C, without a Python object a row."""

    concurrent = False

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def select(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(sql, tuple(parameters[name] for name in _names(sql)))
        return [tuple(row) for row in self.cursor.fetchall()]

    def each(self, sql: str, **columns: Column) -> int:
        import pyarrow as pa

        batch = pa.record_batch({name: pa.array(columns[name]) for name in _names(sql)})
        return self._changed(sql, batch)

    def events(
        self,
        user: np.ndarray,
        item: np.ndarray,
        fingerprint: np.ndarray,
        event: np.ndarray,
        value: np.ndarray,
        time: np.ndarray,
        key: np.ndarray | None,
    ) -> int:
        import pyarrow as pa

        columns: list[tuple[np.ndarray, np.ndarray | None]] = [
            (user, None),
            (item, None),
            (fingerprint, None),
            (event, None),
            (value, np.isnan(value)),
            (time, time == NO_TIME),
        ]
        head = _INSERT_HEAD
        if key is not None:
            head = _INSERT_HEAD.replace(")", ", key)")
            columns.append((key, key == ""))
        place = f"({', '.join('?' * len(columns))})"
        added = 0
        # Sixteen rows a statement: a fifth faster than one, and more bring little more.
        even = len(user) - len(user) % _TOGETHER
        for begin, end, rows in ((0, even, _TOGETHER), (even, len(user), 1)):
            parts = [
                pa.array(column[begin + at : end : rows], mask=None if none is None else none[begin + at : end : rows])
                for at in range(rows)
                for column, none in columns
            ]
            batch = pa.record_batch(parts, names=[str(number) for number in range(len(parts))])
            added += self._changed(f"{head} values {', '.join([place] * rows)}", batch)
        return added

    def numbers(self, table: str, column: str, labels: Sequence[str]) -> np.ndarray:
        found = np.full(len(labels), -1, dtype=np.int64)
        for start in range(0, len(labels), _LOOKED_UP):
            asked = json.dumps(labels[start : start + _LOOKED_UP], ensure_ascii=False)
            self.cursor.execute(SqliteLane._find.format(table=table, column=column), (asked,))
            at, ids = self.cursor.fetch_arrow_table().columns
            if len(ids):
                found[start + at.to_numpy()] = ids.to_numpy()
        return found

    def _changed(self, sql: str, batch: Any) -> int:
        if not batch.num_rows:
            return 0
        before = self._total_changes()
        self.cursor.executemany(sql, batch)
        return self._total_changes() - before

    def _total_changes(self) -> int:
        self.cursor.execute("select total_changes()")
        return int(self.cursor.fetchone()[0])


@contextmanager
def adbc_cursor(engine: Engine, file: Path) -> Iterator[Any]:
    """A cursor of ADBC on a SQLite file, outside any transaction. Only while FileGate.alone() says so."""
    import adbc_driver_manager
    import adbc_driver_sqlite.dbapi as adbc

    try:
        with adbc.connect(str(file), autocommit=True) as connection, connection.cursor() as cursor:
            wait = int(1000 * engine.get_execution_options()["wait"])
            for pragma in (f"busy_timeout = {wait}", "synchronous = full", "secure_delete = on", "cache_size = -65536"):
                cursor.execute(f"pragma {pragma}")
                cursor.fetchall()
            yield cursor
    except adbc_driver_manager.Error as error:
        raise explained(error, engine) from error


@contextmanager
def _adbc(engine: Engine, file: Path) -> Iterator[Lane]:
    with adbc_cursor(engine, file) as cursor:
        # Foreign keys stay off here: every number was looked up or made in this very transaction.
        cursor.execute("begin immediate")
        try:
            yield AdbcLane(cursor)
        except BaseException:
            cursor.execute("rollback")
            raise
        cursor.execute("commit")


class PostgresLane(SqliteLane):
    """Through psycopg: rows are packed with numpy, sent by binary COPY into a staging table, and merged from there."""

    concurrent = True
    _find = (
        "select j.ordinality - 1, t.id from jsonb_array_elements_text(cast(:labels as jsonb)) with ordinality j(value)"
        " join {table} t on t.{column} = j.value"
    )

    def events(
        self,
        user: np.ndarray,
        item: np.ndarray,
        fingerprint: np.ndarray,
        event: np.ndarray,
        value: np.ndarray,
        time: np.ndarray,
        key: np.ndarray | None,
    ) -> int:
        driver: Any = self.connection.connection.driver_connection
        columns = {"user_id": user, "item_id": item, "fingerprint": fingerprint, "event_id": event}
        packed = packed_rows({**columns, "value": value, "time": time})
        with driver.cursor() as cursor:
            cursor.execute(_STAGING)
            if key is None:
                with cursor.copy(
                    "copy staged (user_id, item_id, fingerprint, event_id, value, time) from stdin (format binary)"
                ) as copy:
                    copy.write(packed)
            else:
                lists = [*(column.tolist() for column in (*columns.values(), value, time)), key.tolist()]
                with cursor.copy("copy staged from stdin") as copy:
                    for row in zip(*lists, strict=True):
                        copy.write_row(row)
            cursor.execute(_MERGE, (NO_TIME,))
            added = int(cursor.rowcount)
            cursor.execute("truncate staged")
        return added


_STAGING = (
    "create temporary table if not exists staged (user_id bigint, item_id bigint, fingerprint bigint, event_id bigint,"
    " value double precision, time bigint, key text) on commit drop"
)
_MERGE = (
    "insert into interactions (user_id, item_id, fingerprint, event_id, value, time, key)"
    " select user_id, item_id, fingerprint, event_id, nullif(value, 'NaN'), nullif(time, %s), nullif(key, '')"
    " from staged order by user_id, item_id, fingerprint on conflict do nothing"
)


def packed_rows(columns: Mapping[str, np.ndarray]) -> bytes:
    """Columns of 8-byte numbers as PostgreSQL's binary COPY: a count of fields, then length and value of each."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns.items():
        layout += [(f"{name} length", ">i4"), (name, ">f8" if column.dtype.kind == "f" else ">i8")]
    rows = np.empty(len(next(iter(columns.values()))), dtype=layout)
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"{name} length"], rows[name] = 8, column
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"


def _plain(column: Column) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def _names(sql: str) -> list[str]:
    """The parameters of a statement in the order of their first appearance, which is how SQLite numbers them."""
    return list(dict.fromkeys(re.findall(r"(?<!:):(\w+)", sql)))
