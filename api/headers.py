"""Headers of every answer: what browsers must know to be safe, and which pages elsewhere may read it (CORS)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, request

from recsys.errors import SettingError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Fault = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None

_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
_PAGE = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
)
_JSON = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
_PRIVATE = ("Cache-Control", "no-store")  # histories are nobody else's business
_ALLOWED = "Authorization, Content-Type, Idempotency-Key, X-API-Key"
_EXPOSED = "Idempotency-Replayed, Receipt, Retry-After, X-Request-ID"
_PREFLIGHT_SECONDS = 600


def register(app: Flask, cors_origins: Iterable[str] = ()) -> None:
    """Give every answer its headers, and let pages of these origins, and of no other, call this server.

    Call it before ``auth.protect``: the question that a browser asks beforehand carries no key. The request itself
    then needs one like any other. Raises SettingError for an origin that is not exact, like https://shop.example.
    """
    origins = frozenset(cors_origins)
    for origin in sorted(origins):
        _check_origin(origin)

    def preflight() -> Response | None:
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or asked is None or request.headers.get("Origin") not in origins:
            return None
        answer = app.make_default_options_response()
        answer.headers["Access-Control-Allow-Methods"] = answer.headers["Allow"]
        answer.headers["Access-Control-Allow-Headers"] = _ALLOWED
        answer.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
        return answer

    def share(response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    app.wsgi_app = _hardened(app.wsgi_app)  # type: ignore[assignment]
    if origins:
        app.before_request(preflight)
        app.after_request(share)


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    exact = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or exact != origin or "*" in origin:
        raise SettingError(
            f"not an exact origin: {origin!r}",
            where="the setting 'cors_origins'",
            do="list each as its browser sends it: https://shop.example, without a path and without *",
        )


def _hardened(inner: WSGIApplication) -> WSGIApplication:
    """Around the app, not in it: this is part of every answer, and Flask's own way takes ten times as long."""

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        static = environ["PATH_INFO"].startswith("/static/")

        def start(status: str, headers: list[tuple[str, str]], fault: Fault = None) -> Callable[[bytes], object]:
            more = [*_ALWAYS, _JSON] if static else [*_ALWAYS, _JSON, _PRIVATE]
            for name, value in headers:
                if name == "Content-Type" and value.startswith("text/html"):
                    more[len(_ALWAYS)] = _PAGE
            return start_response(status, headers + more, fault)

        return inner(environ, start)

    return outer
