"""Exception to problem+json (RFC 9457), in one table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from api.limits import MAX_BODY, RETRY_SECONDS
from api.observing import request_id, route
from recsys.errors import (
    AlreadyRunning,
    DamagedBundle,
    DataError,
    Fenced,
    Forgotten,
    KeyInFlight,
    KeyReused,
    NoModel,
    RecsysError,
    SchemaMismatch,
    SettingError,
    StoreError,
    TrainingError,
    UnknownId,
)

logger = logging.getLogger("recsys.api")

# class -> (status, type, may be tried again). The first class that fits holds: children before parents.
TABLE: tuple[tuple[type[RecsysError], int, str, bool], ...] = (
    (UnknownId, 404, "unknown-id", False),
    (NoModel, 404, "no-such-model", False),
    (DamagedBundle, 409, "damaged-model", False),
    (AlreadyRunning, 409, "already-running", True),
    (Forgotten, 409, "forgotten", False),
    (Fenced, 409, "fenced", False),
    (SchemaMismatch, 503, "schema-mismatch", True),
    (StoreError, 503, "database-unavailable", True),
    (KeyInFlight, 409, "idempotency-key-in-flight", True),
    (KeyReused, 422, "idempotency-key-reused", False),
    (DataError, 422, "invalid-data", False),
    (SettingError, 400, "invalid-setting", False),
    (TrainingError, 500, "model-failed", False),
    (RecsysError, 500, "failed", False),
)


class NothingLive(Exception):
    """No model can answer at all: the service cannot be used until one is published."""

    def __init__(self, cause: RecsysError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Refused(Exception):
    """A request that is refused at the door. errors: members of the problem's "errors", one for each fault."""

    def __init__(
        self, status: int, slug: str, detail: str, errors: Sequence[dict[str, str]] = (), retry: bool = False
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.detail, self.errors, self.retry = status, slug, detail, errors, retry


def problem(status: int, slug: str, detail: str, retry: bool = False, **more: Any) -> Response:
    """The body every error has: type, title, status, detail, instance, request_id, and what else is known."""
    body = {
        "type": f"urn:recsys:problem:{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": request_id(),
        **more,
    }
    response = Response(orjson.dumps(body), status, mimetype="application/problem+json")
    if retry:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def register(app: Flask) -> None:
    app.register_error_handler(RecsysError, _own)
    app.register_error_handler(NothingLive, _nothing_live)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http)


def _own(error: RecsysError) -> Response:
    status, slug, retry = next((s, slug, r) for kind, s, slug, r in TABLE if isinstance(error, kind))
    if status >= 500:
        logger.error("%s %s: %s", request.method, route(), " / ".join(str(error).splitlines()))
        # where: paths and addresses of this machine, nobody's business outside it
        return problem(status, slug, error.what.split(": ")[0] if slug == "database-unavailable" else error.what, retry)
    more = {"do": error.do} if error.do else {}
    return problem(status, slug, error.what, retry, **more)


def _nothing_live(error: NothingLive) -> Response:
    return problem(503, "no-live-model", error.cause.what, retry=True, do=error.cause.do)


def _refused(error: Refused) -> Response:
    more = {"errors": list(error.errors)} if error.errors else {}
    return problem(error.status, error.slug, error.detail, error.retry, **more)


def _http(error: HTTPException) -> Response:
    """Flask's own: no such route, wrong method, too large, and 500 for what nobody expected (Flask has logged it)."""
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect
    detail = error.description or HTTPStatus(status).phrase
    if isinstance(error, RequestEntityTooLarge):
        detail = f"the body is larger than the limit of {MAX_BODY:,} bytes"
    response = problem(status, HTTPStatus(status).phrase.lower().replace(" ", "-"), detail)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate"):
            response.headers[name] = value
    return response
