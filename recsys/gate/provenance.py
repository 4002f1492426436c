"""Provenance: whether a challenger says that it learnt from tonight's data. It may say what is not so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.interactions import iso_time


def strange(card: Mapping[str, Any], expected: Mapping[str, Any] | None) -> list[str]:
    """Causes to refuse a challenger by its card.

    expected: "sha256" of tonight's training matrix and "until", its latest event in microseconds or None. None where
    nobody asks.
    """
    if expected is None:
        return []
    data = card.get("data")
    data = data if isinstance(data, Mapping) else {}
    if data.get("sha256") == expected["sha256"]:
        return []
    until, tonight = data.get("until"), expected.get("until")
    if until is not None and tonight is not None and until < tonight:
        return [f"stale: its data ends on {iso_time(until)}, tonight's on {iso_time(tonight)}"]
    if "sha256" not in data:
        return ["its card does not say what data it learnt from"]
    return [f"it learnt from other data: {str(data['sha256'])[:12]}, tonight's is {str(expected['sha256'])[:12]}"]
