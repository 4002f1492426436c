"""Feedback: what people did, stored before it is acknowledged; the very next answer knows it."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Annotated, Any

from flask import Blueprint, request
from pydantic import Field

from api.auth import Policy, policy
from api.context import context
from api.limits import MAX_BATCH
from api.resources.fields import Event, Id, PastTime, Strict, Value
from api.resources.parse import body, path_id
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
def post_feedback() -> dict[str, Any]:
    """Store 1..1000 events, all or none. Users and items not known yet are made.

    Under an Idempotency-Key a request sent again gets the first answer and has no second effect; another body under
    the same key is refused with 422.
    """
    events = body(Feedback).events
    interactions = _interactions(events)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        added = context().store.add(interactions)
    else:
        digest = sha256(request.get_data()).hexdigest()
        added, _ = context().store.add_once(path_id(key, "Idempotency-Key"), digest, interactions)
    return {
        "received": added.received,
        "added": added.added,
        "repeated": added.repeated,
        "new_users": added.new_users,
        "new_items": added.new_items,
        "unruled": context().settings.weights.unruled(interactions),
    }


def _interactions(events: list[FeedbackEvent]) -> Interactions:
    now = time.time_ns() // 1000
    keys = [event.id or "" for event in events]
    return Interactions.from_lists(
        [event.user for event in events],
        [event.item for event in events],
        [event.event for event in events],
        [float("nan") if event.value is None else event.value for event in events],
        [now if event.time is None else event.time for event in events],
        keys if any(keys) else None,
    )
