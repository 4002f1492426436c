"""Health: is this process alive, and can it answer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from api.auth import Policy, policy
from api.context import context
from recsys.errors import StoreError

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
@policy(Policy.PUBLIC)
def livez() -> dict[str, str]:
    """200 as long as the process answers at all."""
    return {"status": "alive"}


@blueprint.get("/readyz")
@policy(Policy.PUBLIC)
def readyz() -> tuple[dict[str, Any], int]:
    """ready, degraded (it answers, something is wrong) or unready. 503 unless recommendations can be made now."""
    models = context().service.health()
    database: dict[str, str] = {"status": "ok"}
    try:
        context().store.ping()
    except StoreError as error:
        database = {"status": "unavailable", "fault": type(error).__name__}
    usable = models["ready"] and database["status"] == "ok"
    if usable:
        status = "ready" if models["fault"] is None else "degraded"
    else:
        status = "degraded" if models["ready"] else "unready"
    answer = {
        "status": status,
        "database": database,
        "models": models["models"],
        "default": models["default"],
        "fault": models["fault"],
    }
    return answer, 200 if usable else 503
