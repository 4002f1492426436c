"""differences: which numbers of a report came out the same when its recipe was run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

TOLERANCE = 0.002  # of a mean, elsewhere: other processors round otherwise, and trained networks drift with it

Outcome = Literal["same", "within tolerance", "different", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One number of a report: what was written, what came out now (None: nothing), and what that means."""

    model: str
    metric: str
    written: float
    now: float | None
    outcome: Outcome


def same_place(written: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between where two reports were made, in words; empty: every digit should be the same."""
    found = [] if written["device"] == now["device"] else [f"device: {written['device']} then, {now['device']} now"]
    for part in ("versions", "machine"):
        for key in sorted({*written.get(part, {}), *now.get(part, {})}):
            before, after = written.get(part, {}).get(key), now.get(part, {}).get(key)
            if before != after:
                found.append(f"{key}: {before} then, {after} now")
    return found


def differences(written: Mapping[str, Any], now: Mapping[str, Any], tolerance: float) -> list[Finding]:
    """Every mean and both ends of its interval of every model, in the order of the report that was written.

    tolerance: how far apart two numbers may be and still agree, as a difference; larger numbers may be apart by this
    share of themselves. 0: every digit counts.
    """
    found = []
    for model, result in written["models"].items():
        again = now["models"].get(model, {}).get("metrics", {})
        for metric, interval in result["metrics"].items():
            for end in ("mean", "low", "high"):
                before, after = float(interval[end]), again.get(metric, {}).get(end)
                named = metric if end == "mean" else f"{metric} ({end})"
                found.append(Finding(model, named, before, after, _outcome(before, after, tolerance)))
    return found


def _outcome(before: float, after: float | None, tolerance: float) -> Outcome:
    if after is None:
        return "missing"
    if before == after:
        return "same"
    return "within tolerance" if abs(before - after) <= tolerance * max(1.0, abs(before)) else "different"
