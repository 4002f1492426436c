"""The name of a model version: when it came to be, which model it is, and what it holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from recsys.errors import NoModel

_VERSION = re.compile(r"(\d{8}T\d{12}Z)-([A-Za-z0-9_]+)-([0-9a-f]{12})")
_TIME = "%Y%m%dT%H%M%S%fZ"


def is_version(name: object) -> bool:
    return isinstance(name, str) and _VERSION.fullmatch(name) is not None


def version_now(model: str, digest: str) -> str:
    """A name for a model of this content: versions sort by age."""
    return f"{datetime.now(UTC).strftime(_TIME)}-{model}-{digest[:12]}"


def time_now() -> str:
    """Now as ISO 8601 in UTC, to the second."""
    return _iso(datetime.now(UTC))


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def parts_of(version: str) -> tuple[str, str, str]:
    """(created as ISO 8601, model name, first 12 digits of the digest)."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise NoModel(f"{version[:80]!r} is not the name of a model version", do="see `recsys models list`")
    created = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
    return _iso(created), match[2], match[3]
