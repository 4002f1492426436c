"""Who may call what: a policy for every route, and the one place that enforces it."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from flask.helpers import get_debug_flag

from api.errors import Refused, problem
from api.keys import ADMIN, Caller, KeyRing, usable
from api.rates import STRANGER_BURST, STRANGER_RATE, RateLimiter
from data.records import KeyRecord
from recsys.errors import SettingError

View = TypeVar("View", bound=Callable[..., Any])


class Policy(StrEnum):
    """What a caller must be allowed: nothing, to read answers, to send what people did, or to change everything."""

    PUBLIC = "public"
    READ = "read"
    FEEDBACK = "feedback"
    ADMIN = "admin"


STATIC = {"pages.static": Policy.PUBLIC}  # views that are Flask's own and cannot be decorated
_SAFE = ("GET", "HEAD", "OPTIONS")
_HERE = Caller("", frozenset({ADMIN}))  # a program on this machine that sent no key


def policy(needed: Policy) -> Callable[[View], View]:
    """Declare a view's policy. A route without one stops ``create_app``."""

    def declare(view: View) -> View:
        view.policy = needed  # type: ignore[attr-defined]
        return view

    return declare


def policy_of(app: Flask, endpoint: str) -> Policy | None:
    return STATIC.get(endpoint) or getattr(app.view_functions[endpoint], "policy", None)


def caller() -> Caller:
    """Who sent the current request. For routes that are not public."""
    return g.caller


@lru_cache(maxsize=256)  # asked at every request, mostly of the same name
def is_loopback(host: str) -> bool:
    """True for this machine's own addresses and for localhost, with or without a port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def require_safe_host(host: str, keys: Iterable[KeyRecord] = ()) -> None:
    """SettingError for an address that other machines can reach while no key grants anything, and for Flask's debug
    mode, on whatever address: it lets visitors run code."""
    _require_no_debug(get_debug_flag())
    if not _is_local(host) and not usable(keys):
        raise SettingError(
            f"serving on {host} needs an API key, and there is none that grants anything",
            where="the setting 'host'",
            do="make one with `recsys keys create NAME --scope read`, or serve on 127.0.0.1",
        )


def protect(
    app: Flask,
    host: str,
    keys: KeyRing | None = None,
    limiter: RateLimiter | None = None,
    *,
    always: bool = False,
    origins: Collection[str] = (),
) -> None:
    """Enforce the policies; call it after every blueprint and after ``headers.register``.

    A key is asked for by every route that is not public, unless ``host`` is a loopback address: there a caller without
    one may do everything, and a key that is sent is checked all the same. always: ask on loopback too, for a server
    behind a proxy. keys: None when there are none. limiter: None for no limits. origins: of pages elsewhere that may
    call (see ``headers.register``).

    Raises SettingError naming the routes that declare no policy, and in debug mode.
    """
    policies = {rule.endpoint: policy_of(app, rule.endpoint) for rule in app.url_map.iter_rules()}
    missing = sorted(endpoint for endpoint, needed in policies.items() if needed is None)
    if missing:
        raise SettingError(f"routes without a policy: {', '.join(missing)}", do="decorate the view with @policy")
    _require_no_debug(app.debug)
    demanded = always or not _is_local(host)

    def enforce() -> Response | None:
        needed = policies.get(request.endpoint or "")
        if needed is None:
            return None  # no such route, or not this method: answered as 404 or 405
        if not demanded:
            _from_here(origins)
        if needed is Policy.PUBLIC:
            return None
        sent = _sent_key()
        if sent is None:
            if demanded:
                return _unauthorized(f"this route needs a key that grants '{needed}'")
            g.caller = _HERE
            return None
        found = keys.caller(sent) if keys is not None else None
        if found is None:
            wait = limiter.wait_stranger() if limiter is not None else 0.0
            if wait:
                return _too_many(
                    wait, STRANGER_RATE, STRANGER_BURST, "with keys that open nothing, all senders together"
                )
            return _unauthorized("this key opens nothing: it is wrong, or it was revoked", ', error="invalid_token"')
        wait = limiter.wait(found.id) if limiter is not None else 0.0
        if limiter is not None and wait:
            return _too_many(wait, limiter.rate, limiter.burst, "with one key")
        if not found.may(needed):
            return problem(403, "forbidden", f"this key does not grant '{needed}'", scope=needed)
        g.caller = found
        return None

    app.before_request(enforce)


def _require_no_debug(on: bool) -> None:
    if on:
        raise SettingError(
            "Flask's debug mode is on: visitors could run code",
            where="the variable FLASK_DEBUG",
            do="unset FLASK_DEBUG",
        )


def _is_local(host: str) -> bool:
    return is_loopback(f"[{host}]" if ":" in host else host)


def _from_here(origins: Collection[str]) -> None:
    """Refused when a page from elsewhere, open in a browser here, reaches this address: by a name that it points at
    this machine (DNS rebinding), or by a form that it submits."""
    if not is_loopback(request.host):
        raise Refused(403, "host-refused", "this server answers on this machine's own addresses only")
    if request.method in _SAFE:
        return
    origin = request.headers.get("Origin")
    if origin is None or origin in origins:
        return
    try:
        same = urlsplit(origin).netloc == request.host
    except ValueError:  # no URL at all
        same = False
    if not same:
        raise Refused(403, "origin-refused", "requests from pages of another origin may not change anything")


def _sent_key() -> str | None:
    """``Authorization: Bearer KEY`` or ``X-API-Key: KEY``. Other schemes are between the caller and a proxy."""
    sent: dict[str, str] = request.environ
    scheme, _, credentials = sent.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return sent.get("HTTP_X_API_KEY")


def _unauthorized(detail: str, more: str = "") -> Response:
    answer = problem(401, "unauthorized", detail)
    answer.headers["WWW-Authenticate"] = f'Bearer realm="recsys"{more}'
    return answer


def _too_many(wait: float, rate: float, burst: int, whose: str) -> Response:
    detail = f"more than {rate:g} requests a second, or {burst} at once, {whose}"
    answer = problem(429, "rate-limited", detail, limit={"requests_a_second": rate, "burst": burst})
    answer.headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return answer
