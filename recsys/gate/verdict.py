"""Verdict: what was decided about a challenger, in words and with the figures it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recsys.gate.figures import Figure

Decision = Literal["promote", "keep", "inconclusive", "refused"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """decision: "promote"; "keep", the champion is shown to be the better choice; "inconclusive", neither is shown and
    the champion stays; "refused", the challenger is not fit to be compared, or shown to break a guard.

    people: judged by. level: of the main test. better_than_anchor: the challenger is shown, at that level, to be better
    than the version that the chain of promotions began with (without one: than the champion), so that the next one is
    measured against it; also of the first version of all. False unless promoted.
    """

    decision: Decision
    reason: str
    figures: tuple[Figure, ...] = ()
    people: int = 0
    level: float = math.nan
    better_than_anchor: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no word for NaN and infinity: None stands for both."""
        return {**_plain(asdict(self)), "figures": [_plain(asdict(figure)) for figure in self.figures]}


def refused(cause: str) -> Verdict:
    """Of a challenger that could not even be loaded."""
    return Verdict("refused", sentence("Refused", [cause]))


def sentence(opening: str, said: Iterable[str]) -> str:
    """What was decided, and why."""
    return f"{opening}: {'; '.join(one.rstrip('.') for one in said)}."


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()
    }
