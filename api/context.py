"""What every request works with: the parts of one app, and what this moment is known of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from flask import current_app, request
from flask.globals import app_ctx

from api.assortments import Assortments
from api.cache import AnswerCache
from api.memory import Memory
from api.settings import Settings
from api.trends import Trends
from data.records import Marks, id_fault
from recsys.serving.assortment import Assortment
from recsys.serving.registry import ModelRegistry
from recsys.serving.service import RecommendationService

if TYPE_CHECKING:
    from data.store import Store

EXTENSION = "recsys"


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    store: Store
    registry: ModelRegistry
    service: RecommendationService
    memory: Memory
    assortments: Assortments
    cache: AnswerCache
    trends: Trends


class Moment(NamedTuple):
    """What the database said when this request came. stale: it did not answer, and these are the last known marks."""

    marks: Marks
    stale: bool


def context() -> Context:
    """The context of the app that answers the current request."""
    return cast(Context, current_app.extensions[EXTENSION])


def moment() -> Moment:
    """Asked of the database once a request: the marks of everything, and of the user that the path names. Of one that
    no store can hold nothing is asked, and nothing kept."""
    kept = app_ctx.g  # what Flask calls g; going through its proxy takes longer than what is done here
    found: Moment | None = kept.get("moment")
    if found is None:
        user = (request.view_args or {}).get("user")
        if user is not None and id_fault(user) is not None:
            user = None
        kept.moment = found = Moment(*context().memory.marks(user))
    return found


def assortment() -> Assortment:
    """What is known of the items at this moment; where that is not the latest, the moment is stale from here on."""
    now = moment()
    found = context().assortments.current(now.marks.items)
    if found.stamp < now.marks.items and not now.stale:
        app_ctx.g.moment = now._replace(stale=True)
    return found
