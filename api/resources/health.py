"""Health: is this process alive, can it answer, and what has it done."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST

import migrations
from api import metrics, operations
from api.auth import Policy, policy
from api.context import context
from api.describe import describes
from api.pulse import Beat, Pulse
from recsys.errors import SchemaMismatch

blueprint = Blueprint("health", __name__)
_PULSE = "recsys.pulse"


@blueprint.get("/livez")
@policy(Policy.PUBLIC)
@describes(operations.Alive)
def livez() -> dict[str, str]:
    """200 as long as the process answers at all."""
    return {"status": "alive"}


@blueprint.get("/readyz")
@policy(Policy.PUBLIC)
@describes(operations.Readiness, statuses={503: operations.Readiness})
def readyz() -> tuple[dict[str, Any], int]:
    """ready, degraded (it answers, but something is wrong) or unready. 503 only where no recommendation can be made.

    A database that is away leaves it degraded as long as there is something in memory to answer from: taking it out of
    service would make of that an outage. Waits less than a second for a database that does not answer.
    """
    here = context()
    models, beat = here.service.health(), _beat()
    remembers = beat.fault != SchemaMismatch.__name__ and here.memory.known and here.assortments.known
    stale = not beat.up or here.memory.away
    usable = models["ready"] and (beat.up or remembers)
    status = "unready" if not usable else "degraded" if stale or models["fault"] else "ready"
    answer = {
        "status": status,
        "stale": stale,
        "database": _shown(beat),
        "models": models["models"],
        "default": models["default"],
        "fault": models["fault"],
    }
    return answer, 200 if usable else 503


@blueprint.get("/metrics")
@policy(Policy.READ)
@describes("text/plain")
def prometheus() -> Response:
    """What all workers of this server did, in Prometheus' text format."""
    text = metrics.exposition(context().service.health()["models"], _beat().up)
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _beat() -> Beat:
    pulse: Pulse | None = current_app.extensions.get(_PULSE)
    if pulse is None:
        store, memory = context().store, context().memory

        def ask() -> str | None:
            memory.ask()  # what every answer asks first; and the memory learns that the database is there again
            return migrations.current(store.engine)

        pulse = current_app.extensions.setdefault(_PULSE, Pulse(ask))
    return pulse.beat()


def _shown(beat: Beat) -> dict[str, Any]:
    if beat.up:
        return {"status": "ok", "latency_ms": beat.milliseconds, "schema": beat.found}
    return {"status": "unavailable", "fault": beat.fault}
