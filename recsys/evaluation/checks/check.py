"""Check: one finding about an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. fail: the numbers mean something else than they say. warn: read them with this in mind."""

    name: str
    status: Status
    detail: str


def graded(share: float, warn: float, fail: float) -> Status:
    """ok up to ``warn``, fail above ``fail``."""
    return "ok" if share <= warn else "warn" if share <= fail else "fail"
