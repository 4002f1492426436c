"""Recommendations: for a user by id, and for a history in the body."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import BeforeValidator, Field, model_validator

from api.auth import Policy, policy
from api.limits import DEFAULT_N, MAX_BATCH
from api.resources.answers import allowed, as_json, service
from api.resources.fields import Category, Event, Exclude, Id, N, Offset, Page, PastTime, Strict, Value, fault
from api.resources.parse import body, path_id, query
from recsys.interactions import NO_TIME, Interactions

blueprint = Blueprint("recommendations", __name__, url_prefix="/v1")


class Asked(Page):
    """?n=&offset=&model=&category=&exclude=a,b&include_seen="""

    model: Id | None = None
    category: Category | None = None
    exclude: Exclude = []
    include_seen: bool = False


class Entry(Strict):
    """One event of an anonymous history; a bare item id stands for {"item": id}."""

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


class Anonymous(Strict):
    history: Annotated[list[Annotated[Entry, BeforeValidator(_bare)]], Field(max_length=MAX_BATCH)]
    n: N = DEFAULT_N
    offset: Offset = 0
    model: Id | None = None
    category: Category | None = None
    exclude: Exclude = []
    include_seen: bool = False


@blueprint.get("/users/<id:user>/recommendations")
@policy(Policy.READ)
def for_user(user: str) -> dict[str, Any]:
    """The n best items for a user. Somebody without a history gets what is popular, and "strategy" says so."""
    asked = query(Asked)
    return as_json(
        service().recommend(
            path_id(user, "user"),
            asked.n,
            asked.offset,
            asked.model,
            asked.exclude,
            asked.include_seen,
            allowed(asked.category),
        )
    )


@blueprint.post("/recommendations")
@policy(Policy.READ)
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
    answer = service().recommend_history(
        history, asked.n, asked.offset, asked.model, asked.exclude, asked.include_seen, allowed(asked.category)
    )
    return as_json(answer)
