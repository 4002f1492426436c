"""Quick reads: small questions that every request asks, on connections of the driver itself."""

from __future__ import annotations

from contextlib import nullcontext
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy import Engine, event

from data.engine import explained, in_words
from data.records import Marks
from recsys.errors import DataError
from recsys.interactions import NO_TIME, Encoded, Interactions

# At most, where the engine has patience at all: these are questions of a fraction of a millisecond.
PATIENCE_SECONDS = 0.5


class QuickReads:
    """Asks without SQLAlchemy's machinery for each question, a tenth of the time, in statements that are prepared once.

    As many connections are kept as threads ever asked at once, until the engine's pool is disposed of.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._error: Any = engine.dialect.loaded_dbapi.Error
        self._data_error: Any = engine.dialect.loaded_dbapi.DataError
        self._idle: list[Any] = []  # cursors; a list, because taking one and giving it back are single steps
        self._place = "?" if engine.dialect.name == "sqlite" else "%s"
        event.listen(engine, "engine_disposed", self._close)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The answer to one question, with ``?`` where a parameter stands.

        Raises StoreError, and DataError for a parameter that the database cannot hold: that says nothing of the
        database, and the connection goes on as it was.
        """
        try:
            cursor, fresh = self._idle.pop(), False
        except IndexError:
            cursor, fresh = self._opened(), True
        try:
            rows: list[tuple[Any, ...]] = cursor.execute(sql.replace("?", self._place), parameters).fetchall()
        except self._data_error as error:
            self._idle.append(cursor)
            raise DataError(f"the database cannot hold this: {error}", do="send ids of printable characters") from error
        except self._error as error:
            broken = getattr(cursor.connection, "broken", False)
            cursor.connection.close()
            if fresh or not broken:
                raise explained(error, self._engine) from error
            self._close(self._engine)  # the server has ended this one, and so the others: ask on a new one
            return self.rows(sql, *parameters)
        self._idle.append(cursor)
        return rows

    def _opened(self) -> Any:
        """A cursor on a connection that the pool has made and given away. Reads that end leave no transaction open."""
        patience = self._engine.get_execution_options().get("patience")
        limit = None if patience is None else min(PATIENCE_SECONDS, patience.seconds)
        with in_words(self._engine), nullcontext() if patience is None else patience.of(limit):
            taken = self._engine.raw_connection()
            connection: Any = taken.driver_connection
            taken.detach()
            if self._engine.dialect.name == "sqlite":
                return connection.cursor()
            connection.autocommit = True
            connection.prepare_threshold = 0
            if patience is not None:
                connection.limit = limit
            return connection.cursor(binary=True)

    def _close(self, _engine: Engine) -> None:
        while self._idle:
            self._idle.pop().connection.close()


_MARKS = (
    "select coalesce((select count from changes where name = 'items'), 0),"
    " coalesce((select count from changes where name = 'keys'), 0),"
    " coalesce((select changed from users where external_id = ?), -1),"
    " coalesce((select count from changes where name = 'forgotten'), 0)"
)
_HISTORY = (
    "select i.external_id, e.name, n.value, coalesce(n.time, ?), n.key from users u join interactions n"
    " on n.user_id = u.id join items i on i.id = n.item_id join event_types e on e.id = n.event_id"
    " where u.external_id = ?"
)


def marks(quick: QuickReads, user: str | None) -> Marks:
    """As Store.marks tells. DataError for an id that the database cannot hold (see QuickReads.rows)."""
    return Marks(*quick.rows(_MARKS, user)[0])


def history(quick: QuickReads, user: str) -> Interactions:
    """As Store.history tells; DataError as of `marks`."""
    rows = quick.rows(_HISTORY, NO_TIME, user)
    if not rows:
        return Interactions.empty()
    rows.sort(key=_BY_TIME)
    items, events, values, times, keys = zip(*rows, strict=True)
    key = None
    if any(keys):
        key = np.array([key or "" for key in keys], dtype=object)
    return Interactions(
        Encoded.constant(user, len(rows)),
        Encoded.of(items),
        Encoded.of(events),
        np.array(values, dtype=np.float64),  # None becomes NaN
        np.array(times, dtype=np.int64),
        key,
    )


_BY_TIME = itemgetter(3, 0)
