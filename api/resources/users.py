"""Users: what is known of them, what they did, and forgetting them."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Blueprint

from api.auth import Policy, policy
from api.context import context
from api.resources.fields import Attributes, Page, Strict, Time, iso
from api.resources.parse import body, path_id, query
from data.records import UserRecord
from recsys.errors import UnknownId
from recsys.interactions import NO_TIME, Interactions

blueprint = Blueprint("users", __name__, url_prefix="/v1/users")


class UserBody(Strict):
    attributes: Attributes = {}
    created: Time | None = None


@blueprint.get("/<id:user>/history")
@policy(Policy.READ)
def history(user: str) -> dict[str, Any]:
    """What a user did, newest first; 404 for a user the store does not hold."""
    asked = query(Page)
    store = context().store
    events = store.history(path_id(user, "user"))
    if not len(events) and store.user(user) is None:
        raise _unknown(user)
    rows = newest_first(events)[asked.offset : asked.offset + asked.n]
    page = events.take(rows)
    ids = page.item.decode().tolist()
    records = store.items(sorted(set(ids)))
    shown = [
        {
            "item": item,
            "title": records[item].title if item in records else None,
            "event": event,
            "value": None if np.isnan(value) else value,
            "time": None if time == NO_TIME else iso(time),
        }
        for item, event, value, time in zip(
            ids, page.event.decode().tolist(), page.value.tolist(), page.time.tolist(), strict=True
        )
    ]
    return {"user": user, "total": len(events), "events": shown}


@blueprint.get("/<id:user>")
@policy(Policy.READ)
def get_user(user: str) -> dict[str, Any]:
    record = context().store.user(path_id(user, "user"))
    if record is None:
        raise _unknown(user)
    return _shown(record)


@blueprint.put("/<id:user>")
@policy(Policy.ADMIN)
def put_user(user: str) -> dict[str, Any]:
    """Make a user, or replace what is known of them; their history stays."""
    given = body(UserBody)
    record = UserRecord(path_id(user, "user"), given.attributes, given.created)
    context().store.put_users([record])
    return _shown(record)


@blueprint.delete("/<id:user>")
@policy(Policy.ADMIN)
def forget(user: str) -> tuple[str, int]:
    """Remove a user and everything they did."""
    if not context().store.forget(path_id(user, "user")):
        raise _unknown(user)
    return "", 204


def newest_first(events: Interactions) -> np.ndarray:
    """Row numbers, latest time first; those without a time last, in the order of the store."""
    return np.argsort(-events.time.astype(np.float64), kind="stable")


def _unknown(user: str) -> UnknownId:
    return UnknownId(f"unknown user: {user!r}")


def _shown(record: UserRecord) -> dict[str, Any]:
    return {"id": record.id, "attributes": dict(record.attributes), "created": iso(record.created)}
