"""Numbers and names as people read them, the same in plots and tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

_LONGEST = 160  # characters of a name or title that are shown
MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"


def plain(text: object, longest: int = _LONGEST) -> str:
    """text on one line, without control characters and halves of characters, cut where it is very long."""
    whole = str(text)[: longest + 1].encode("utf-8", "replace").decode()
    shown = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", whole)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def decimals(values: Iterable[float | None]) -> int:
    """How many decimals a column of values needs: 4 for shares, fewer from 1 on, up to 6 where all are below 0.01."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return 4
    if 0.01 <= largest < 1:
        return 4
    return min(6, max(0, 3 - math.floor(math.log10(largest))))


def number(value: float | None, places: int = 4) -> str:
    """With so many decimals, thousands apart and a real minus; a dash where there is none."""
    if value is None:
        return UNKNOWN
    return f"{value:,.{places}f}".replace("-", MINUS)


def signed(value: float | None, places: int = 4) -> str:
    shown = number(value, places)
    return f"+{shown}" if value is not None and value > 0 else shown


def tick(value: float) -> str:
    return f"{value:.6g}".replace("-", MINUS) if abs(value) > 1e-12 else "0"


def chance(p: float | None) -> str:
    """A p-value; 0.0001 is the smallest that is told."""
    if p is None:
        return UNKNOWN
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    if seconds < 0.001:
        return "< 1 ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 99.5:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: float | None) -> str:
    """Bytes, in powers of 1000."""
    if count is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB" if count < 999.5 else f"{count:,.0f} GB"


def share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f}%"


def value_text(value: Any) -> str:
    """Any plain value of a recipe on one line."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: UNKNOWN}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(one) for one in value) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {value_text(one)}" for key, one in value.items()) or "none"
    return str(value)
