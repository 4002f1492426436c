"""What JSON Schema cannot say of a valid request, said to schemathesis: loaded by it, named in its configuration."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

from api.limits import MAX_EXPLAINED

_BATCHES = {"/v1/items:batch": "items", "/v1/users:batch": "users"}

# Any moment that an event or an item may have: the format alone allows the year 1 and the year 9999.
_moments = st.datetimes(datetime(1900, 1, 2), datetime(2025, 12, 31), timezones=st.just(UTC))
schemathesis.openapi.format("date-time", _moments.map(lambda moment: moment.isoformat().replace("+00:00", "Z")))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make a valid case valid in what relates one value to another. Invalid cases stay as they are."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers and "Idempotency-Key" in case.headers:  # no other request may have used it
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    case.body = _storable(case.body)
    for wishes in (case.query, case.body):
        if isinstance(wishes, dict):
            wishes.pop("preset", None)  # none is set here, and there is no list of them to draw from
            if str(wishes.get("explain")).lower() == "true":
                wishes["n"] = min(int(wishes.get("n", 1)), MAX_EXPLAINED)
    batch = _BATCHES.get(case.path)
    if batch and isinstance(case.body, dict):  # no id twice
        case.body[batch] = list({one["id"]: one for one in case.body[batch]}.values())


def _storable(value: Any) -> Any:
    """JSON without NUL and numbers past 64 bits, and no 1.0, which JSON Schema calls an integer, too."""
    if isinstance(value, dict):
        return {name.replace("\0", ""): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, int | float) and abs(value) >= 2**63:
        return 0
    return int(value) if isinstance(value, float) and value.is_integer() else value
