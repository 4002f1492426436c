"""What every request works with: settings, store, registry, service and catalogue of one app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

from api.catalogue import Catalogue
from api.settings import Settings
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
    catalogue: Catalogue


def context() -> Context:
    """The context of the app that answers the current request."""
    return cast(Context, current_app.extensions[EXTENSION])
