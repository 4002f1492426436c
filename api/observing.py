"""Observing: what is known of every request once it was answered, handed to whoever counts or writes it down."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, g, has_request_context, request
from werkzeug.wsgi import ClosingIterator

from data.records import id_fault
from recsys.serving.answer import new_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-ID"
_PLACE = "recsys.seen"
_SANE = re.compile(r"[A-Za-z0-9._:+/=-]{1,64}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_PARAMETER = re.compile(r"<(?:[^<>:]*:)?([^<>]*)>")


@dataclass(slots=True)
class Seen:
    """One request and its answer; nothing a stranger wrote is in it, but the ids, free of control characters.

    id: sent as X-Request-ID, or made here. started: of time.perf_counter. method: "other" for what HTTP does not name.
    route: the rule, /v1/items/{item}; "" where no route fits. seconds: until the answer was made. user, item: asked for
    in the path. key: public part of the API key. strategy: of the answer.
    """

    id: str
    started: float
    method: str
    route: str = ""
    status: int = 500
    seconds: float = 0.0
    user: str = ""
    item: str = ""
    key: str = ""
    strategy: str = ""


def seen() -> Seen:
    """What is known so far of the current request."""
    return cast(Seen, request.environ[_PLACE])


def request_id() -> str:
    """The id of the current request, "" outside one."""
    found = request.environ.get(_PLACE) if has_request_context() else None
    return found.id if found is not None else ""


def route() -> str:
    """The rule of the current request as log lines have it, /v1/items/{item}: a path may name somebody, and what no
    rule fits is a stranger's text. "-" there."""
    return "-" if request.url_rule is None else _route(request.url_rule.rule)


def observe(app: Flask, *listeners: Callable[[Seen], None]) -> None:
    """Call the listeners after every request, and give every answer its X-Request-ID. Call it once, at the end."""
    app.after_request(_note)
    app.wsgi_app = _observed(app.wsgi_app, listeners)  # type: ignore[assignment]


def _note(response: Response) -> Response:
    found = seen()
    rule = request.url_rule
    if rule is not None:
        found.route = _route(rule.rule)
        asked = request.view_args
        if asked:
            found.user, found.item = _plain(asked.get("user")), _plain(asked.get("item"))
    caller = g.get("caller")
    if caller is not None:
        found.key = caller.id
    return response


def _observed(inner: WSGIApplication, listeners: Iterable[Callable[[Seen], None]]) -> WSGIApplication:
    """Around the app, not in it: it costs a tenth of Flask's own hooks, and sees every answer."""

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent: str | None = environ.get("HTTP_X_REQUEST_ID")
        method = environ["REQUEST_METHOD"]
        id_ = sent if sent is not None and _SANE.fullmatch(sent) else new_id()
        found = Seen(id_, time.perf_counter(), method if method in _METHODS else "other")
        environ[_PLACE] = found
        sized = False

        def start(status: str, headers: list[tuple[str, str]], fault: Any = None) -> Callable[[bytes], object]:
            nonlocal sized
            found.status, sized = int(status[:3]), any(name == "Content-Length" for name, _ in headers)
            return start_response(status, [*headers, (HEADER, found.id)], fault)

        answer = inner(environ, start)
        if sized and isinstance(answer, ClosingIterator):  # in memory: as a list the server sends it in one go
            with closing(answer):
                answer = list(answer)
        found.seconds = time.perf_counter() - found.started
        for listener in listeners:
            listener(found)
        return answer

    return outer


@lru_cache(maxsize=1024)
def _route(rule: str) -> str:
    return _PARAMETER.sub(r"{\1}", rule)


def _plain(id_: str | None) -> str:
    """An id that can stand in a log: those that no store could hold are left out."""
    return "" if id_ is None or id_fault(id_) else id_
