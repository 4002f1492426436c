"""What the store knows of items, read and taken out; writes.py puts them in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine, Select, select, text, update

from data.changes import now, touch_items
from data.engine import rows_of
from data.records import ItemRecord, ItemState
from data.tables import Item
from data.transactions import lane_of, writing

_ASKED = 500  # ids in one question
_COLUMNS = (Item.external_id, Item.title, Item.categories, Item.attributes, Item.hidden, Item.created)
_ALIVE = select(*_COLUMNS).where(Item.deleted.is_(None))


def items(engine: Engine, ids: Iterable[str]) -> dict[str, ItemRecord]:
    return {row.external_id: _record(row) for row in _those(engine, _ALIVE, ids)}


def titles(engine: Engine, ids: Iterable[str]) -> dict[str, str]:
    asked = select(Item.external_id, Item.title).where(Item.title.is_not(None), Item.deleted.is_(None))
    return {row.external_id: row.title for row in _those(engine, asked, ids)}


def list_items(engine: Engine, offset: int, limit: int) -> list[ItemRecord]:
    return [_record(row) for row in rows_of(engine, _ALIVE.order_by(Item.id).offset(offset).limit(limit))]


def delete_item(engine: Engine, id_: str) -> bool:
    emptied: dict[str, Any] = {
        "title": None,
        "categories": [],
        "attributes": {},
        "hidden": False,
        "deleted": now(),
        "changed": -1,
    }
    with writing(engine) as connection:
        alive = (Item.external_id == id_) & Item.deleted.is_(None)
        found = connection.execute(update(Item).where(alive).values(**emptied)).rowcount
        if found:
            touch_items(lane_of(connection))
        return bool(found)


# One statement, so one snapshot on both engines; the count comes back also where no item does. JSON as text: most lists
# of categories are read once and shared.
_CHANGED = text(
    "select c.count, i.id, i.external_id, i.title, cast(i.categories as text), cast(i.attributes as text), i.hidden,"
    " i.created, i.deleted from (select coalesce((select count from changes where name = 'items'), 0) as count) c"
    " left join items i on i.changed > :since"
)


def items_changed(engine: Engine, since: int) -> tuple[int, list[ItemState]]:
    rows = rows_of(engine, _CHANGED.bindparams(since=since), long=True)
    categories: dict[str, tuple[str, ...]] = {}
    states = []
    for _, number, id_, title, listed, attributes, hidden, created, deleted in sorted(rows, key=itemgetter(1)):
        if number is None:
            continue
        if listed not in categories:
            categories[listed] = tuple(json.loads(listed))
        known = {} if attributes == "{}" else json.loads(attributes)
        record = ItemRecord(id_, title, categories[listed], known, bool(hidden), created)
        states.append(ItemState(record, deleted is not None))
    return rows[0][0], states


def _those(engine: Engine, asked: Select[*tuple[Any, ...]], ids: Iterable[str]) -> Iterator[Any]:
    wanted = list(ids)
    for start in range(0, len(wanted), _ASKED):
        yield from rows_of(engine, asked.where(Item.external_id.in_(wanted[start : start + _ASKED])))


def _record(row: Any) -> ItemRecord:
    return ItemRecord(row.external_id, row.title, tuple(row.categories), row.attributes, bool(row.hidden), row.created)
