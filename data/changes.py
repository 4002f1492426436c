"""Changes: the numbers by which caches learn that what they hold of users, items or keys is stale.

Of users that are deleted the database itself keeps count, under the name "forgotten" (a trigger of migration 0002).
"""

from __future__ import annotations

import json
import time

import numpy as np

from data.lanes import Lane


def now() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


_TOUCH_USERS = (
    "update users set changed = case when changed < :now then :now else changed + 1 end"
    " where id in (select cast(value as bigint) from LABELS j)"
)
# Whoever locks several users locks them in the order in which new ones are inserted.
_IN_ORDER = (
    "with locked as materialized (select id from users where id in (select cast(value as bigint) from LABELS j)"
    ' order by external_id collate "C" for no key update)'
    " update users set changed = case when changed < :now then :now else changed + 1 end"
    " where id in (select id from locked)"
)


def touch_users(lane: Lane, users: np.ndarray) -> None:
    """Tell caches that what they know of these users (numbers of the database) is stale."""
    statement = _IN_ORDER if lane.concurrent else _TOUCH_USERS
    lane.each(statement.replace("LABELS", lane.listed), labels=[json.dumps(users.tolist())], now=[now()])


def touch(lane: Lane, name: str) -> int:
    """Tell caches that what they know of a kind of thing is stale; its new count. On PostgreSQL it is a lock."""
    [(count,)] = lane.select(
        "insert into changes (name, count) values (:name, 1)"
        " on conflict (name) do update set count = changes.count + 1 returning count",
        name=name,
    )
    return int(count)


def touch_items(lane: Lane) -> None:
    """Give the items that this transaction wrote, with -1 in ``changed``, the next count of changes. Last in it: from
    here on writers of items go one by one, so whoever reads a count sees the items of all counts before it."""
    count = touch(lane, "items")
    lane.each("update items set changed = :count where changed = -1", count=[count])
