"""create_app: the Flask app, its parts put together once."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Flask, Response, request
from flask.json.provider import JSONProvider
from werkzeug.routing import BaseConverter

from api import auth, errors, headers, logs, metrics, observing
from api.assortments import Assortments
from api.cache import AnswerCache
from api.context import EXTENSION, Context, context, moment
from api.keys import KeyRing
from api.limits import LOCK_SECONDS, MAX_BODY, PATIENCE_SECONDS
from api.memory import Memory
from api.pages.docs import blueprint as docs
from api.pages.home import pages
from api.pseudonyms import naming
from api.rates import RateLimiter
from api.resources import feedback, health, items, models, receipts, recommendations, reports, users
from api.runtime import shared_file
from api.settings import Settings
from api.trends import Trends
from data.store import Store
from recsys.serving.registry import ModelRegistry
from recsys.serving.service import RecommendationService

BLUEPRINTS = (
    recommendations.blueprint,
    items.blueprint,
    users.blueprint,
    receipts.blueprint,
    feedback.blueprint,
    models.blueprint,
    reports.blueprint,
    health.blueprint,
    docs,
    pages,
)


class OrjsonProvider(JSONProvider):
    """orjson as Flask's JSON: 100 rows in 7 us instead of 100."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        value = self._prepare_response_obj(args, kwargs)
        return Response(orjson.dumps(value), mimetype="application/json")


class App(Flask):
    """Flask, with log lines that no path can forge, and in which none names anybody."""

    def log_exception(self, exc_info: Any) -> None:
        self.logger.error("Exception on %s [%s]", observing.route(), request.method, exc_info=exc_info)


class IdConverter(BaseConverter):
    """An external id in a path: any text, slashes too (sent as %2F or as they are). What no id may hold is refused in
    words by whoever reads it."""

    regex = r"[\s\S]+?"
    part_isolating = False


def recommendation_service(settings: Settings) -> RecommendationService:
    """The live models of these settings under their rules."""
    return RecommendationService(
        ModelRegistry(settings.registry_folder),
        weights=settings.weights,
        default=settings.default_model,
        presets=settings.rules,
        fresh_share=settings.new_item_share,
        on_fold_in=metrics.folded_in,
    )


def create_app(settings: Settings | None = None) -> Flask:
    """The app of these settings; None: those of the environment. The database must be there and migrated.

    Raises SettingError for a route without a policy or settings that are not safe, StoreError when an embedded database
    is missing.
    """
    settings = settings if settings is not None else Settings.load()
    app = App("recsys", static_folder=None, template_folder=None)
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False
    app.url_map.converters["id"] = IdConverter
    store = Store.open(settings.url, wait=LOCK_SECONDS, patience=PATIENCE_SECONDS)
    app.extensions[EXTENSION] = Context(
        settings,
        store,
        ModelRegistry(settings.registry_folder),
        recommendation_service(settings),
        Memory(store),
        Assortments(store),
        AnswerCache(settings.cache_mb * 1024 * 1024),
        Trends(store, settings.trend_days),
    )
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    errors.register(app)
    headers.register(app, settings.cors_origins)
    auth.protect(
        app,
        settings.host,
        KeyRing(store.keys, lambda: moment().marks.keys, lambda: context().memory.marks()[0].keys),
        RateLimiter(settings.rate_limit, settings.rate_burst, shared_file("rates")),
        always=settings.require_keys,
        origins=settings.cors_origins,
    )
    lines = []
    if settings.log_requests:
        lines.append(logs.request_line(settings.log_format, naming(settings.log_users, settings.home)))
    observing.observe(app, metrics.requested, *lines)
    return app
