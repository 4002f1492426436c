"""Recommendations: for a user by id, for many users, and for a history in the body."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from flask import Blueprint, Response, request
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from api import metrics, shapes
from api.auth import Policy, policy
from api.context import assortment, context, moment
from api.describe import describes
from api.limits import MAX_BATCH, MAX_USERS
from api.resources.answers import as_json, service
from api.resources.fields import Event, Id, PastTime, Strict, Value, fault
from api.resources.parse import body, path_id, query
from api.resources.wishes import Wishes
from recsys.interactions import NO_TIME, Interactions
from recsys.serving.answer import new_id

blueprint = Blueprint("recommendations", __name__, url_prefix="/v1")


class Entry(Strict):
    """One event of an anonymous history; a bare item id stands for {"item": id}."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"value": {"type": "number"}}, "required": ["value"]},
            "then": {"required": ["event"]},
        }
    )

    item: Id
    event: Event = "interaction"
    value: Value | None = None
    time: PastTime | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_event(cls, entry: Any) -> Any:
        if isinstance(entry, dict) and entry.get("value") is not None and "event" not in entry:
            raise fault("event", "a value needs an event that says what it means, like rating")
        return entry


def _bare(entry: Any) -> Any:
    return {"item": entry} if isinstance(entry, str) else entry


class Anonymous(Wishes, Strict):
    history: Annotated[
        list[Annotated[Entry, BeforeValidator(_bare, json_schema_input_type=Id | Entry)]], Field(max_length=MAX_BATCH)
    ]


class Many(Wishes, Strict):
    users: Annotated[list[Id], Field(min_length=1, max_length=MAX_USERS)]


@blueprint.get("/users/<id:user>/recommendations")
@policy(Policy.READ)
@describes(shapes.Answer, query=Wishes, statuses={404: "No such model or preset."}, ask="n=3&explain=true")
def for_user(user: str) -> Response:
    """The n best items for a user. Somebody without a history gets what is popular, and "strategy" says so."""
    here, now, found = context(), moment(), service()
    release = found.live.snapshot().stamp
    key = (user, request.query_string)
    kept = None if now.stale else here.cache.get(key, now.marks, release)
    if kept is not None:
        metrics.answered(kept.model, kept.strategy, cached=True)
        return _json(kept.body(new_id()))
    wishes = query(Wishes)
    history, stale = here.memory.history(path_id(user, "user"), now.marks, now.stale)
    answer = found.recommend(history, wishes.ask(), assortment(), user)
    stale |= moment().stale
    body_ = orjson.dumps(as_json(answer, stale, wishes.explain, cached=False))
    if not stale:
        here.cache.put(key, now.marks, release, body_, answer.id, answer.strategy, answer.model_name)
    return _json(body_)


@blueprint.post("/recommendations:batch")
@policy(Policy.READ)
@describes(
    shapes.Answers,
    body=Many,
    statuses={404: "No such model or preset."},
    example={"users": ["u1", "u2"], "n": 3, "diversity": 0.3},
)
def for_many() -> dict[str, Any]:
    """The n best items for each of 1..100 users, in their order, all by the same release."""
    asked = body(Many)
    memory, stale = context().memory, moment().stale
    histories = []
    for user in asked.users:
        marks, away = memory.marks(user)
        history, old = memory.history(user, marks, away)
        histories.append((user, history))
        stale |= away or old
    answers = service().recommend_many(histories, asked.ask(), assortment())
    stale |= moment().stale
    return {"answers": [as_json(answer, stale, asked.explain) for answer in answers]}


@blueprint.post("/recommendations")
@policy(Policy.READ)
@describes(
    shapes.Answer,
    body=Anonymous,
    statuses={404: "No such model or preset."},
    example={"history": ["i3", {"item": "i7", "event": "rating", "value": 5}], "n": 3},
)
def for_history() -> dict[str, Any]:
    """The n best items for a history that nobody stores."""
    asked = body(Anonymous)
    entries = asked.history
    history = Interactions.from_lists(
        [""] * len(entries),
        [entry.item for entry in entries],
        [entry.event for entry in entries],
        [float("nan") if entry.value is None else entry.value for entry in entries],
        [NO_TIME if entry.time is None else entry.time for entry in entries],
    )
    answer = service().recommend(history, asked.ask(), assortment())
    return as_json(answer, moment().stale, asked.explain)


def _json(body_: bytes) -> Response:
    return Response(body_, content_type="application/json")
