"""Receipts: that somebody was forgotten and since when, never who."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint

from api import forgetting, operations
from api.auth import Policy, policy
from api.context import context
from api.describe import describes
from api.errors import Refused

blueprint = Blueprint("receipts", __name__, url_prefix="/v1/receipts")

_ID = re.compile(operations.RECEIPT_ID)  # checked before the database is asked


@blueprint.get("/<receipt>")
@policy(Policy.ADMIN)
@describes(operations.Receipt, statuses={404: "No such receipt."})
def get_receipt(receipt: str) -> dict[str, Any]:
    """What was deleted of somebody, since when, and which model versions may have learnt from them.

    Those versions hold no user data; marked, they never go live again.
    """
    here = context()
    found = here.store.receipt(receipt) if _ID.fullmatch(receipt) else None
    if found is None:
        raise Refused(404, "no-such-receipt", f"there is no receipt {receipt[:80]!r}")
    return forgetting.shown(found, here.registry)
