"""Notify: tell a webhook how a night ended."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import orjson

from recsys import __version__

SECONDS = 5.0  # for the whole answer: nobody waits longer for somebody else's server


def post(url: str, night: Mapping[str, Any], seconds: float = SECONDS) -> str:
    """POST a night's status, decision, reason and what is live now, as JSON; what came of it, in words.

    A webhook that fails is told of and changes nothing: the night is over, whoever hears of it.
    """
    if not url:
        return "no webhook is set"
    published = night.get("published") or {}
    body = {
        "event": "night",
        "night": night.get("night"),
        "status": night["status"],
        "decision": night["decision"],
        "reason": night["reason"],
        "live": published.get("live"),
        "promoted": published.get("promoted"),
        "report": night.get("report"),
    }
    said: list[str] = []
    asking = threading.Thread(target=lambda: said.append(_asked(url, orjson.dumps(body), seconds)), daemon=True)
    asking.start()
    asking.join(seconds)  # a limit for the whole: the socket's own is for each of its parts
    return said[0] if said else f"the webhook was not told: no answer within {seconds:g} s"


def _asked(url: str, body: bytes, seconds: float) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": f"recsys/{__version__}"}
    try:
        request = urllib.request.Request(url, body, headers)
        if request.type not in ("http", "https"):
            return f"the webhook was not told: {request.type} is not http or https"
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return f"the webhook answered {answer.status}"
    except (OSError, ValueError, HTTPException) as error:  # HTTPError and URLError are OSErrors
        return f"the webhook was not told: {type(error).__name__}: {error}"
