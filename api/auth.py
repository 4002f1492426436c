"""Who may call what: a policy for every route, and the one place that enforces it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, request

from api.errors import Refused
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


def policy(needed: Policy) -> Callable[[View], View]:
    """Declare a view's policy. A route without one stops ``create_app``."""

    def declare(view: View) -> View:
        view.policy = needed  # type: ignore[attr-defined]
        return view

    return declare


def policy_of(app: Flask, endpoint: str) -> Policy | None:
    return STATIC.get(endpoint) or getattr(app.view_functions[endpoint], "policy", None)


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


def require_safe_host(host: str) -> None:
    """SettingError for an address that other machines can reach: there are no keys yet that would keep them out."""
    if not is_loopback(f"[{host}]" if ":" in host else host):
        raise SettingError(
            f"serving on {host} would let everyone who can reach it read and change everything",
            where="the setting 'host'",
            do="serve on 127.0.0.1, behind something that asks who is calling",
        )


def protect(app: Flask, host: str) -> None:
    """Enforce the policies. On a loopback address every caller of this machine is granted everything; on any other,
    nothing but public routes.

    Raises SettingError naming the routes that declare no policy.
    """
    missing = sorted({rule.endpoint for rule in app.url_map.iter_rules() if policy_of(app, rule.endpoint) is None})
    if missing:
        raise SettingError(f"routes without a policy: {', '.join(missing)}", do="decorate the view with @policy")
    local = is_loopback(f"[{host}]" if ":" in host else host)

    def enforce() -> None:
        if request.endpoint is None:
            return  # no such route, or not this method: answered as 404 or 405
        needed = policy_of(app, request.endpoint)
        if not local:
            if needed is not Policy.PUBLIC:
                raise Refused(401, "unauthorized", f"this route needs a key that grants '{needed}'")
            return
        # A page from elsewhere, open in a browser here, can reach this address too: by a name that it points at this
        # machine (DNS rebinding), or by a form that it submits.
        if not is_loopback(request.host):
            raise Refused(403, "host-refused", "this server answers on this machine's own addresses only")
        origin = request.headers.get("Origin")
        if request.method not in _SAFE and origin is not None and urlsplit(origin).netloc != request.host:
            raise Refused(403, "origin-refused", "requests from pages of another origin may not change anything")

    app.before_request(enforce)
