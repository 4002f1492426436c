"""Feedback: what people did, stored before it is acknowledged; the very next answer knows it."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import Annotated, Any

from flask import Blueprint, request
from pydantic import Field

from api import metrics, shapes
from api.auth import Policy, caller, policy
from api.context import context
from api.describe import describes
from api.limits import MAX_BATCH
from api.resources.fields import Event, Id, PastTime, Strict, Value
from api.resources.parse import body, header_id
from data.changes import now
from data.records import Added
from recsys.interactions import Interactions

blueprint = Blueprint("feedback", __name__, url_prefix="/v1")


class FeedbackEvent(Strict):
    """One event. time: when it happened, now if left out.

    id: the sender's own, which makes sending it again harmless.
    """

    user: Id
    item: Id
    event: Event
    value: Value | None = None
    time: PastTime | None = None
    id: Id | None = None


class Feedback(Strict):
    events: Annotated[list[FeedbackEvent], Field(min_length=1, max_length=MAX_BATCH)]


@blueprint.post("/feedback")
@policy(Policy.FEEDBACK)
@describes(
    shapes.Acknowledged,
    body=Feedback,
    headers={"Idempotency-Key": "makes sending the same body again harmless"},
    example={"events": [{"user": "u1", "item": "i9", "event": "rating", "value": 5, "time": "2026-01-02T03:04:05Z"}]},
)
def post_feedback() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Store 1..1000 events, all or none. Users and items not known yet are made.

    Under an Idempotency-Key a request sent again gets the first answer, with the header Idempotency-Replayed, and has
    no second effect; another body under the same key is refused with 422, a request that comes before the first is
    answered with 409. An API key has its Idempotency-Keys to itself.
    """
    name = header_id("Idempotency-Key")
    interactions = _interactions(body(Feedback).events)
    unruled = context().settings.weights.unruled(interactions)

    def answer(added: Added) -> dict[str, Any]:
        return {**asdict(added), "unruled": unruled}

    store = context().store
    if name is None:
        stored = answer(store.add(interactions))
        metrics.fed(stored["received"], stored["added"])
        return stored, 200, {}
    key = sha256(f"{caller().id}/{name}".encode()).hexdigest()
    found, replayed = store.add_once(key, sha256(request.get_data()).hexdigest(), interactions, answer)
    if not replayed:
        metrics.fed(found["received"], found["added"])
    return found, 200, {"Idempotency-Replayed": "true"} if replayed else {}


def _interactions(events: list[FeedbackEvent]) -> Interactions:
    received = now()
    keys = [event.id or "" for event in events]
    return Interactions.from_lists(
        [event.user for event in events],
        [event.item for event in events],
        [event.event for event in events],
        [float("nan") if event.value is None else event.value for event in events],
        [received if event.time is None else event.time for event in events],
        keys if any(keys) else None,
    )
