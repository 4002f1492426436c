"""Models: the versions kept, and which of them answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from api import operations
from api.auth import Policy, policy
from api.context import context
from api.describe import describes
from recsys.errors import NoModel
from recsys.serving.releases import Release

blueprint = Blueprint("models", __name__, url_prefix="/v1/models")


@blueprint.get("")
@policy(Policy.READ)
@describes(operations.ModelList)
def list_models() -> dict[str, Any]:
    """The live release, a hold on the nights if there is one, and every version kept, newest first."""
    registry = context().registry
    try:
        live: dict[str, Any] | None = _release(registry.live())
    except NoModel:
        live = None
    hold = registry.hold()
    return {"live": live, "hold": None if hold is None else asdict(hold), "versions": registry.describe()}


@blueprint.post("/<version>/promote")
@policy(Policy.ADMIN)
@describes(
    operations.Live,
    statuses={
        404: "No such version.",
        409: "It is damaged, it may have learnt from somebody forgotten since, or another process is publishing.",
    },
)
def promote(version: str) -> dict[str, Any]:
    """Put a kept version live for its model, and let nights promote again. A damaged one is refused with 409."""
    return {"live": _release(context().registry.promote(version))}


@blueprint.post("/rollback")
@policy(Policy.ADMIN)
@describes(
    operations.Live,
    statuses={
        404: "There is no release before the live one.",
        409: "It is damaged, it may have learnt from somebody forgotten since, or another process is publishing.",
    },
)
def rollback() -> dict[str, Any]:
    """Put the release before the live one back. 404 when there is none.

    From then on no night promotes anything until a version is promoted, or `recsys models resume` is called.
    """
    return {"live": _release(context().registry.rollback())}


def _release(release: Release) -> dict[str, Any]:
    return asdict(release)
