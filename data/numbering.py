"""The numbers that users, items and event types have in the database, made for those that have none yet."""

from __future__ import annotations

import numpy as np

from data.changes import now
from data.lanes import AT_ONCE, Lane, as_list

# LABELS: where the lane reads the labels sent with the question.
_FIND = {
    "users": "select j.key, t.id from LABELS j join users t on t.external_id = j.value",
    "items": "select j.key, t.id from LABELS j join items t on t.external_id = j.value",
    "event_types": "select j.key, t.id from LABELS j join event_types t on t.name = j.value",
}
_INSERT = {
    "users": "insert into users (external_id, created, changed) select value, :now, :now from LABELS j where true",
    "items": "insert into items (external_id, created, changed) select value, :now, -1 from LABELS j where true",
    "event_types": "insert into event_types (name) select value from LABELS j where true",
}


def numbers(lane: Lane, table: str, labels: list[str]) -> tuple[np.ndarray, int, np.ndarray]:
    """((n,) int64 numbers in the database, how many are new, numbers that may not be). New ones follow each other in
    the order of the labels."""
    found = find(lane, table, labels)
    missing = np.flatnonzero(found < 0)
    if not len(missing):
        return found, 0, found
    known = found[found >= 0]
    fresh = [labels[at] for at in missing.tolist()]
    in_order = sorted(fresh) if lane.concurrent else fresh
    statement = _INSERT[table].replace("LABELS", lane.listed) + " on conflict do nothing"
    lists = [as_list(in_order[start : start + AT_ONCE]) for start in range(0, len(in_order), AT_ONCE)]
    dated = {} if table == "event_types" else {"now": [now()] * len(lists)}
    new = lane.each(statement, labels=lists, **dated)
    found[missing] = find(lane, table, fresh)
    return found, new, known if new == len(fresh) else found  # else another writer made some of them


def find(lane: Lane, table: str, labels: list[str]) -> np.ndarray:
    """(n,) int64 numbers of labels in a table, -1 for those it does not hold."""
    found = np.full(len(labels), -1, dtype=np.int64)
    for start in range(0, len(labels), AT_ONCE):
        at, numbers = lane.pairs(_FIND[table].replace("LABELS", lane.listed), labels[start : start + AT_ONCE])
        found[start + at] = numbers
    return found
