"""What people did, taken together: what is on the rise, and who did the same things.

There is no index from items to people: it would make imports take half as long again and files half as large, and these
questions, each a pass over the events (about 0.1 s a million), ask for much at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Engine, String, bindparam, text

from data.engine import rows_of

LATEST = 200  # items of a user by which others are compared with them

_TRENDING = text(
    "select i.external_id, t.weight from (select item_id, sum(power(0.5, case when :now - time > 1000 * :half_life"
    " then 1000 else (:now - time) / :half_life end)) as weight from interactions where time between :since and :now"
    " group by item_id) t join items i on i.id = t.item_id where not i.hidden and i.deleted is null"
    " order by t.weight desc, i.id limit :n"
)
_MINE = (
    "with me as (select id from users where external_id = :user), mine as materialized ("
    " select item_id, max(coalesce(time, cast('-9223372036854775808' as bigint))) as latest from interactions"
    " where user_id = (select id from me) group by item_id order by latest desc, item_id desc limit :most)"
)
_NEIGHBOURS = (
    " select u.external_id, t.shared from (select user_id, count(distinct item_id) as shared from interactions"
    " where item_id in (select item_id from mine) and user_id <> (select id from me) group by user_id"
    " order by shared desc, user_id limit :limit) t join users u on u.id = t.user_id order by t.shared desc, u.id"
)
_SHARED = (
    " select distinct u.external_id, i.external_id, mine.latest, mine.item_id from users u"
    " join interactions n on n.user_id = u.id join mine on mine.item_id = n.item_id join items i on i.id = n.item_id"
    " where u.external_id in :others order by mine.latest desc, mine.item_id desc"
)
_BOTH = (
    "with people as materialized (select distinct user_id from interactions where item_id ="
    " (select id from items where external_id = :item)) select i.external_id, count(distinct n.user_id)"
    " from people join interactions n on n.user_id = people.user_id join items i on i.id = n.item_id"
    " where n.item_id in (select id from items where external_id in :others) group by i.external_id"
)


def trending(engine: Engine, now: int, half_life: float, since: int, n: int) -> list[tuple[str, float]]:
    """As Store.trending tells."""
    asked = _TRENDING.bindparams(now=now, half_life=float(half_life), since=since, n=n)
    return [(item, weight) for item, weight in rows_of(engine, asked, long=True)]


def neighbours(engine: Engine, user: str, limit: int) -> list[tuple[str, int]]:
    """As Store.neighbours tells."""
    asked = text(_MINE + _NEIGHBOURS).bindparams(user=user, most=LATEST, limit=limit)
    return [(other, count) for other, count in rows_of(engine, asked, long=True)]


def shared(engine: Engine, user: str, others: Sequence[str]) -> dict[str, list[str]]:
    """As Store.shared tells."""
    found: dict[str, list[str]] = {other: [] for other in others}
    asked = text(_MINE + _SHARED).bindparams(_names(others)).bindparams(user=user, most=LATEST)
    for other, item, *_ in rows_of(engine, asked, long=True):
        found[other].append(item)
    return found


def both(engine: Engine, item: str, others: Sequence[str]) -> dict[str, int]:
    """As Store.both tells."""
    asked = text(_BOTH).bindparams(_names(others)).bindparams(item=item)
    return {**dict.fromkeys(others, 0), **{row[0]: row[1] for row in rows_of(engine, asked, long=True)}}


def _names(others: Sequence[str]) -> BindParameter[Any]:
    return bindparam("others", list(others), String(), expanding=True)
