"""An Answer as the JSON of the contract."""

from __future__ import annotations

from typing import Any

from api.context import context
from api.errors import NothingLive
from recsys.errors import DamagedBundle, NoModel
from recsys.serving.service import Answer, RecommendationService


def service() -> RecommendationService:
    """The service, when it can answer at all. NothingLive (503) while no model is published or loadable."""
    found = context().service
    try:
        found.live.snapshot()
    except (NoModel, DamagedBundle) as error:
        raise NothingLive(error) from error
    return found


def allowed(category: str | None) -> frozenset[str] | None:
    """The ids a category allows, None without one."""
    return None if category is None else context().catalogue.in_category(category)


def as_json(answer: Answer) -> dict[str, Any]:
    """{"user", "model", "strategy", "id", "items": [{"item", "score", "rank", "title"}]}; title null where unknown."""
    return {
        "user": answer.user,
        "model": {"name": answer.model_name, "version": answer.model_version},
        "strategy": answer.strategy,
        "id": answer.id,
        "items": ranked(answer),
    }


def ranked(answer: Answer) -> list[dict[str, Any]]:
    records = context().store.items([row.item for row in answer.items])
    titles = {id_: record.title for id_, record in records.items()}
    return [
        {"item": row.item, "score": row.score, "rank": row.rank, "title": titles.get(row.item)} for row in answer.items
    ]
