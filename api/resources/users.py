"""Users: what is known of them, what they did, and forgetting them."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import numpy as np
from flask import Blueprint
from pydantic import ConfigDict, Field

from api import forgetting, shapes
from api.auth import Policy, policy
from api.context import assortment, context
from api.describe import describes
from api.limits import MAX_BATCH
from api.resources.answers import service
from api.resources.fields import Attributes, Id, Page, Strict, Time, iso
from api.resources.items import once
from api.resources.parse import body, path_id, query
from data.records import UserRecord
from recsys.errors import UnknownId
from recsys.interactions import NO_TIME, Interactions
from recsys.serving.ask import Ask

blueprint = Blueprint("users", __name__, url_prefix="/v1")
logger = logging.getLogger("recsys.api")
_NEIGHBOURS = 200  # users that are compared
_NAMED = 5  # shared items that are named


class UserBody(Strict):
    attributes: Attributes = {}
    created: Time | None = None

    def record(self, id_: str) -> UserRecord:
        return UserRecord(id_, self.attributes, self.created)


class UserOfBatch(UserBody):
    id: Id


class UserBatch(Strict):
    users: Annotated[list[UserOfBatch], Field(min_length=1, max_length=MAX_BATCH)]


class Alike(Page):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Id | None = Field(None, description="whose idea of likeness; by default the configured model's")


@blueprint.get("/users/<id:user>/history")
@policy(Policy.READ)
@describes(shapes.History, query=Page, statuses={404: "No such user."}, ask="n=3")
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
    known = assortment()
    shown = [
        {
            "item": item,
            "title": known.title(item),
            "event": event,
            "value": None if np.isnan(value) else value,
            "time": None if time == NO_TIME else iso(time),
        }
        for item, event, value, time in zip(
            ids, page.event.decode().tolist(), page.value.tolist(), page.time.tolist(), strict=True
        )
    ]
    return {"user": user, "total": len(events), "events": shown}


@blueprint.get("/users/<id:user>/similar")
@policy(Policy.READ)
@describes(shapes.SimilarUsers, query=Alike, statuses={404: "No such user, or no such model."}, ask="n=3")
def similar(user: str) -> dict[str, Any]:
    """The users most like one, of the 200 that share most items with them; 404 for a user the store does not hold.

    score: the cosine of what the model makes of both histories. reasons: how many items both have, and some of them.
    """
    asked = query(Alike)
    store = context().store
    if store.user(path_id(user, "user")) is None:
        raise _unknown(user)
    shared = dict(store.neighbours(user, _NEIGHBOURS))
    others = [(other, store.history(other)) for other in shared]
    model, version, found = service().alike(store.history(user), others, Ask(model=asked.model))
    page = found[asked.offset : asked.offset + asked.n]
    known = assortment()
    items = store.shared(user, [other for other, _ in page])
    return {
        "user": user,
        "model": {"name": model, "version": version},
        "users": [
            {
                "user": other,
                "score": score,
                "rank": rank,
                "reasons": {
                    "shared": shared[other],
                    "items": [{"item": item, "title": known.title(item)} for item in items[other][:_NAMED]],
                },
            }
            for rank, (other, score) in enumerate(page, asked.offset + 1)
        ],
    }


@blueprint.get("/users/<id:user>")
@policy(Policy.READ)
@describes(shapes.User, statuses={404: "No such user."})
def get_user(user: str) -> dict[str, Any]:
    """All that is known of a user, but what they did; 404 for one that is not there."""
    record = context().store.user(path_id(user, "user"))
    if record is None:
        raise _unknown(user)
    return _shown(record)


@blueprint.put("/users/<id:user>")
@policy(Policy.ADMIN)
@describes(shapes.User, body=UserBody, example={"attributes": {"country": "SE"}})
def put_user(user: str) -> dict[str, Any]:
    """Make a user, or replace what is known of them; their history stays."""
    record, store = body(UserBody).record(path_id(user, "user")), context().store
    store.put_users([record])
    return _shown(store.user(user) or record)  # as it is stored; gone already: as it was put


@blueprint.post("/users:batch")
@policy(Policy.ADMIN)
@describes(shapes.Written, body=UserBatch, example={"users": [{"id": "u1", "attributes": {"country": "SE"}}]})
def put_users() -> dict[str, int]:
    """1..1000 users at once, all or nothing."""
    batch = body(UserBatch).users
    once([user.id for user in batch], "users")
    return {"received": len(batch), "changed": context().store.put_users([user.record(user.id) for user in batch])}


@blueprint.delete("/users/<id:user>")
@policy(Policy.ADMIN)
@describes(
    None,
    status=204,
    statuses={404: "No such user.", 409: "Another process is publishing, or what is known of the models is damaged."},
)
def forget(user: str) -> tuple[str, int, dict[str, str]]:
    """Remove a user and everything they did, from reports too, and mark the models that may have learnt from them.

    The header Receipt holds the id of a receipt, which does not name them: see /v1/receipts.
    """
    here = context()
    places = here.settings.reports_folder, path_id(user, "user"), here.settings.night_folder
    done = forgetting.forget(here.store, here.registry, *places)
    here.memory.forget(user)
    if done is None:
        raise _unknown(user)
    for place in done.left:
        logger.warning("receipt %s: look at %s", done.receipt.id, place)
    return "", 204, {"Receipt": done.receipt.id}


def newest_first(events: Interactions) -> np.ndarray:
    """Row numbers, latest time first; those without a time last, in the order of the store."""
    return np.argsort(-events.time.astype(np.float64), kind="stable")


def _unknown(user: str) -> UnknownId:
    return UnknownId(f"unknown user: {user!r}")


def _shown(record: UserRecord) -> dict[str, Any]:
    return {"id": record.id, "attributes": dict(record.attributes), "created": iso(record.created)}
