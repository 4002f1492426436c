"""An Answer as the JSON of the contract."""

from __future__ import annotations

from typing import Any

from api import metrics
from api.context import assortment, context
from api.errors import NothingLive
from recsys.errors import DamagedBundle, NoModel
from recsys.serving.answer import Answer, Recommended
from recsys.serving.assortment import Assortment
from recsys.serving.service import RecommendationService


def service() -> RecommendationService:
    """The service, when it can answer at all. NothingLive (503) while no model is published or loadable."""
    found = context().service
    try:
        found.live.snapshot()
    except (NoModel, DamagedBundle) as error:
        raise NothingLive(error) from error
    return found


def as_json(answer: Answer, stale: bool, explained: bool = False, cached: bool | None = None) -> dict[str, Any]:
    """{"user", "model", "strategy", "stale", "id", "items": [{"item", "score", "rank", "title", "source"}]}, counted.

    title: null where unknown. stale: the database did not answer, and this is made of what was known last.
    explained: rows have "because" and "needed", too. cached: as `api.metrics.answered` takes it.
    """
    metrics.answered(answer.model_name, answer.strategy, cached)
    return {**answer_as_json(answer, assortment(), explained), "stale": stale}


def answer_as_json(answer: Answer, known: Assortment, explained: bool = False) -> dict[str, Any]:
    """What `as_json` gives, without "stale": to be had outside of a request, too."""
    return {
        "user": answer.user,
        "model": {"name": answer.model_name, "version": answer.model_version},
        "strategy": answer.strategy,
        "id": answer.id,
        "items": [row_as_json(row, known, explained) for row in answer.items],
    }


def row_as_json(row: Recommended, known: Assortment, explained: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "item": row.item,
        "score": row.score,
        "rank": row.rank,
        "title": known.title(row.item),
        "source": row.source,
    }
    if explained:
        shown["because"] = [
            {"item": one.item, "title": known.title(one.item), "share": one.share} for one in row.because
        ]
        shown["needed"] = None if row.needed is None else list(row.needed)
    return shown
