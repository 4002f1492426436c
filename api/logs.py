"""Logs: one line a record on standard error, JSON for machines or text for people, with the id of its request."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from api.observing import Seen, request_id

Format = Literal["auto", "json", "text"]
_STDERR = 2
_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_WORD = re.compile(r"[\w.:/+=-]*")  # no space, no quote: text of another field is none
_LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x7f\x85\u2028\u2029"})  # as JSON has \n


def wanted(format_: Format) -> Literal["json", "text"]:
    """auto: text for a person at a terminal, else JSON."""
    if format_ == "auto":
        return "text" if sys.stderr.isatty() else "json"
    return format_


def configuration(format_: Format) -> dict[str, Any]:
    """For logging.config.dictConfig: every logger of the program and of the server it runs under, warnings and above,
    to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "api.logs.Line", "format_": wanted(format_)}},
        "filters": {"intended": {"()": "api.logs.Intended"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["intended"]}},
        "loggers": {"_granian": {"handlers": ["stderr"], "propagate": False}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


class Line(logging.Formatter):
    """A record of any logger as one line, whatever is in it."""

    def __init__(self, format_: Literal["json", "text"]) -> None:
        super().__init__()
        self._text = format_ == "text"

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if request_id():
            fields["request_id"] = request_id()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if self._text:
            said = orjson.dumps(fields["event"], default=str).decode()[1:-1]
            line = f"{fields['time']:%H:%M:%S} {record.levelname} {said} {fields.get('request_id', '')}".rstrip()
            return line.translate(_LINE_ENDS) + ("\n" + fields["exception"] if "exception" in fields else "")
        return orjson.dumps(fields, option=orjson.OPT_UTC_Z, default=str).decode().translate(_LINE_ENDS)


class Intended(logging.Filter):
    """Not the server's warning of many threads: they wait for each other's histories, to score them together."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Configuration allows spawning up to")


def request_line(format_: Format, named: Callable[[str], str]) -> Callable[[Seen], None]:
    """A listener for `api.observing.observe` that writes a line a request.

    No query, no body, no title, no secret is in it: time, level, request id, method, route, status, milliseconds, the
    key's public part, the user or item of the path, the strategy. named: what it says for a user's id (see
    `api.pseudonyms`). Written with one system call, so that lines of several processes do not mix; one that cannot be
    written is lost.
    """
    as_bytes = _as_text if wanted(format_) == "text" else _as_json

    def write(found: Seen) -> None:
        try:
            os.write(_STDERR, as_bytes(found, named(found.user)))
        except OSError:
            return  # nobody reads: that is no reason to fail a request

    return write


def _as_json(found: Seen, user: str) -> bytes:
    fields = {
        "time": datetime.now(UTC),
        "level": "info" if found.status < 500 else "error",
        "event": "request",
        "request_id": found.id,
        "method": found.method,
        "route": found.route,
        "status": found.status,
        "ms": round(found.seconds * 1000, 3),
    }
    for name in ("user", "item", "key", "strategy"):
        value = user if name == "user" else getattr(found, name)
        if value:
            fields[name] = value
    return orjson.dumps(fields, option=_LINE)


def _as_text(found: Seen, user: str) -> bytes:
    time = f"{datetime.now():%H:%M:%S}"
    said = [time, str(found.status), found.method, found.route or "-", f"{found.seconds * 1000:.1f}ms"]
    for name in ("user", "item", "key", "strategy", "id"):
        value = user if name == "user" else getattr(found, name)
        if value:
            said.append(f"{name}={value if _WORD.fullmatch(value) else orjson.dumps(value).decode()}")
    return (" ".join(said) + "\n").encode()
