"""Lanes: how the store's writes reach a database inside a transaction; this file holds the everyday one, for SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import repeat
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, text

from data.vocabulary import Rows
from recsys.interactions import NO_TIME

Column = Sequence[Any] | np.ndarray
AT_ONCE = 50_000  # labels sent in one question


class Lane(Protocol):
    """One write transaction. SQL is written once, for SQLite and PostgreSQL, with parameters as ``:name``.

    listed: what follows "from" to read the JSON list ``:labels`` as rows (key, value), key counting from 0.
    concurrent: other writers may be at work. Who inserts the same things as they must do so in the same order, or two
    wait for each other for ever.
    """

    listed: str
    concurrent: bool

    def select(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]: ...

    def pairs(self, sql: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Two columns of integers, from a question about ``:labels``."""

    def each(self, sql: str, **columns: Column) -> int:
        """Run a statement once a row of the columns. The number of rows of the database that it changed."""

    def events(self, rows: Rows) -> int:
        """Store events, numbered as in the database. How many were not there yet."""


def as_list(labels: Sequence[str]) -> str:
    """Labels as the JSON list that ``listed`` reads."""
    return json.dumps(labels, ensure_ascii=False)


class SqliteLane:
    """Through SQLAlchemy's connection; events go to the driver's executemany."""

    listed = "json_each(:labels)"
    concurrent = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def select(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(text(sql), parameters)]

    def pairs(self, sql: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        first, second = np.array(self.select(sql, labels=as_list(labels)), dtype=np.int64).reshape(-1, 2).T
        return first, second

    def each(self, sql: str, **columns: Column) -> int:
        lists = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns.values()]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]
        return self.connection.execute(text(sql), rows).rowcount if rows else 0

    def events(self, rows: Rows) -> int:
        times: list[int | None] = rows.time.tolist()
        if (rows.time == NO_TIME).any():
            times = [None if time == NO_TIME else time for time in times]
        keys = repeat(None, len(rows)) if rows.key is None else (key or None for key in rows.key.tolist())
        numbers = (column.tolist() for column in (rows.user, rows.item, rows.fingerprint, rows.event, rows.value))
        driver: Any = self.connection.connection.driver_connection
        # A value of NaN is stored as NULL by SQLite itself.
        return int(driver.executemany(INSERT, zip(*numbers, times, keys, strict=True)).rowcount)


INSERT = (
    "insert or ignore into interactions (user_id, item_id, fingerprint, event_id, value, time, key)"
    " values (?, ?, ?, ?, ?, ?, ?)"
)
