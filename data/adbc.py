"""The bulk lane for SQLite: ADBC binds Arrow columns in C, without a Python object a row. It needs the file alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from data.engine import explained
from data.lanes import INSERT, Column, SqliteLane, as_list
from data.vocabulary import Rows
from recsys.interactions import NO_TIME

_TOGETHER = 16  # rows a statement: a fifth faster than one; more bring little more


@contextmanager
def adbc_cursor(engine: Engine, file: Path) -> Iterator[Any]:
    """A cursor of ADBC on a SQLite file, outside any transaction. Only while FileGate.alone() says so."""
    import adbc_driver_manager
    import adbc_driver_sqlite.dbapi as adbc

    wait = int(1000 * engine.get_execution_options()["wait"])
    try:
        with adbc.connect(str(file), autocommit=True) as connection, connection.cursor() as cursor:
            for pragma in (f"busy_timeout = {wait}", "synchronous = full", "secure_delete = on", "cache_size = -65536"):
                cursor.execute(f"pragma {pragma}")
                cursor.fetchall()
            yield cursor
    except adbc_driver_manager.Error as error:
        raise explained(error, engine) from error


@contextmanager
def adbc_writing(engine: Engine, file: Path) -> Iterator[AdbcLane]:
    """A write transaction. Only while FileGate.alone() says so."""
    with adbc_cursor(engine, file) as cursor:
        # Foreign keys stay off here: every number was looked up or made in this very transaction.
        cursor.execute("begin immediate")
        try:
            yield AdbcLane(cursor)
        except BaseException:
            cursor.execute("rollback")
            raise
        cursor.execute("commit")


class AdbcLane:
    listed = SqliteLane.listed
    concurrent = False

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def select(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(sql, tuple(parameters[name] for name in _names(sql)))
        return [tuple(row) for row in self.cursor.fetchall()]

    def pairs(self, sql: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        self.cursor.execute(sql, (as_list(labels),))
        first, second = self.cursor.fetch_arrow_table().columns
        if not len(first):  # then the columns have no type
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        return first.to_numpy(), second.to_numpy()

    def each(self, sql: str, **columns: Column) -> int:
        import pyarrow as pa

        return self._changed(sql, pa.record_batch({name: pa.array(columns[name]) for name in _names(sql)}))

    def events(self, rows: Rows) -> int:
        even = len(rows) - len(rows) % _TOGETHER
        return self._inserted(rows.take(slice(even)), _TOGETHER) + self._inserted(rows.take(slice(even, None)), 1)

    def _inserted(self, rows: Rows, together: int) -> int:
        import pyarrow as pa

        numbers = [(column, None) for column in (rows.user, rows.item, rows.fingerprint, rows.event)]
        columns = [*numbers, (rows.value, np.isnan(rows.value)), (rows.time, rows.time == NO_TIME)]
        statement, place = INSERT.rsplit(" (", 1)[0], "(?, ?, ?, ?, ?, ?, ?)"
        if rows.key is None:
            place = "(?, ?, ?, ?, ?, ?, null)"
        else:
            columns.append((rows.key, rows.key == ""))
        parts = [
            pa.array(column[at::together], mask=None if none is None else none[at::together])
            for at in range(together)
            for column, none in columns
        ]
        batch = pa.record_batch(parts, names=[str(number) for number in range(len(parts))])
        return self._changed(f"{statement} {', '.join([place] * together)}", batch)

    def _changed(self, sql: str, batch: Any) -> int:
        if not batch.num_rows:
            return 0
        before = self._total_changes()
        self.cursor.executemany(sql, batch)
        return self._total_changes() - before

    def _total_changes(self) -> int:
        self.cursor.execute("select total_changes()")
        return int(self.cursor.fetchone()[0])


def _names(sql: str) -> list[str]:
    """The parameters of a statement in the order of their first appearance, which is how SQLite numbers them."""
    return list(dict.fromkeys(re.findall(r"(?<!:):(\w+)", sql)))
