"""How much there is of everything in the store."""

from __future__ import annotations

from sqlalchemy import Engine, text

from data.engine import rows_of
from data.records import Stats

_COUNTS = text(
    "select (select count(*) from users), (select count(*) from items where deleted is null),"
    " (select count(*) from (select distinct item_id from interactions) touched"
    " join items on items.id = touched.item_id where items.deleted is null),"
    " (select count(*) from quarantine), count(*), min(time), max(time) from interactions"
)


def stats(engine: Engine) -> Stats:
    """As Store.stats tells."""
    [(users, items, touched, quarantined, events, first, last)] = rows_of(engine, _COUNTS)
    return Stats(users, items, touched, events, quarantined, None if first is None else (first, last))
