"""The lane for PostgreSQL: rows packed with numpy, sent by binary COPY to a staging table, and merged from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.lanes import SqliteLane
from data.vocabulary import Rows
from recsys.interactions import NO_TIME


class PostgresLane(SqliteLane):
    listed = (
        "(select value, key - 1 as key from"
        " jsonb_array_elements_text(cast(:labels as jsonb)) with ordinality as listed (value, key))"
    )
    concurrent = True

    def events(self, rows: Rows) -> int:
        numbers = {"user_id": rows.user, "item_id": rows.item, "fingerprint": rows.fingerprint, "event_id": rows.event}
        columns = {**numbers, "value": rows.value, "time": rows.time}
        driver: Any = self.connection.connection.driver_connection
        with driver.cursor() as cursor:
            cursor.execute(_STAGING)
            if rows.key is None:
                with cursor.copy(_COPY) as copy:
                    copy.write(packed_rows(columns))
            else:
                lists = [*(column.tolist() for column in columns.values()), rows.key.tolist()]
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
_COPY = "copy staged (user_id, item_id, fingerprint, event_id, value, time) from stdin (format binary)"
_MERGE = (
    "insert into interactions (user_id, item_id, fingerprint, event_id, value, time, key)"
    " select user_id, item_id, fingerprint, event_id, nullif(value, 'NaN'), nullif(time, %s), nullif(key, '')"
    " from staged order by user_id, item_id, fingerprint on conflict do nothing"
)


def packed_rows(columns: Mapping[str, np.ndarray]) -> bytes:
    """Columns of 8-byte numbers as PostgreSQL's binary COPY: a row is the count of its fields, then each with its
    length before it (postgresql.org/docs/current/sql-copy.html, "Binary Format")."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns.items():
        layout += [(f"length of {name}", ">i4"), (name, ">f8" if column.dtype.kind == "f" else ">i8")]
    rows = np.empty(len(next(iter(columns.values()))), dtype=layout)
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"length of {name}"], rows[name] = 8, column
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"
