"""Notify: tell a webhook how a night ended."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import Any

import orjson

from recsys import __version__

SECONDS = 5.0  # for the whole answer: nobody waits longer for somebody else's server


def post(url: str, night: Mapping[str, Any]) -> str:
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
    headers = {"Content-Type": "application/json", "User-Agent": f"recsys/{__version__}"}
    try:
        asked = urllib.request.Request(url, orjson.dumps(body), headers)
        if asked.type not in ("http", "https"):
            return f"the webhook was not told: {asked.type} is not http or https"
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            return f"the webhook answered {answer.status}"
    except (OSError, ValueError) as error:  # HTTPError and URLError are OSErrors
        return f"the webhook was not told: {error}"
