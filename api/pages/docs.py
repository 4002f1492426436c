"""The description of the API: the OpenAPI document for programs, and a page made of it for people."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response, current_app, render_template, request

from api import openapi
from api.auth import Policy, policy
from api.describe import describes
from api.pages import manual

blueprint = Blueprint("docs", "api.pages", template_folder="templates")

_KEPT = "recsys.openapi"


@blueprint.get("/openapi.json")
@policy(Policy.PUBLIC)
@describes("application/json")
def openapi_json() -> Response:
    """This API as OpenAPI 3.1, for programs that make clients and tests of it."""
    return Response(_kept()[0], mimetype="application/json")


@blueprint.get("/docs")
@policy(Policy.PUBLIC)
@describes("text/html")
def page() -> str:
    """This API as a page for people."""
    return render_template("docs.html", manual=_kept()[1], address=request.url_root.rstrip("/"))


def _kept() -> tuple[bytes, manual.Manual]:
    """The document and the page's content, made at the first request: the routes of an app do not change."""
    app = current_app
    kept: tuple[bytes, manual.Manual] | None = app.extensions.get(_KEPT)
    if kept is None:
        document = openapi.document(app)
        asks = {route.id: route.facts.ask for route in openapi.routes(app)}
        kept = app.extensions[_KEPT] = (orjson.dumps(document), manual.manual(document, asks))
    return kept
