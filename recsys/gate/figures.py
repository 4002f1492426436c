"""Figure: one number that a challenger is judged by, with its bounds, its limit and a sentence that says all of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.gate.bounds import Bounds

State = Literal["passed", "unclear", "failed", "told"]
Unit = Literal["relative", "absolute", "ratio", "value"]


@dataclass(frozen=True, slots=True)
class Figure:
    """NaN stands where there is no number.

    change: of the challenger against the champion, with its one-sided bounds low and high at ``level``; unit
    "relative": challenger / champion - 1, "absolute": challenger - champion, "ratio": challenger / champion, "value":
    of the challenger alone. limit: where it becomes too bad. people: it is over. state: "told" where nothing is decided
    by it, "unclear" where the limit lies between the bounds. said: in words; where it failed they begin with the cause.
    """

    name: str
    unit: Unit
    challenger: float
    champion: float = math.nan
    change: float = math.nan
    low: float = math.nan
    high: float = math.nan
    level: float = math.nan
    limit: float = math.nan
    people: int = 0
    state: State = "told"
    said: str = ""


_SAME = 1e-6  # what arithmetic alone may make of a limit that is met exactly


def state_of(bounds: Bounds, limit: float, more_is_worse: bool = False) -> State:
    """Whether the truth is shown to be on the good side of a limit, shown to be on the bad side, or neither."""
    low, high = (
        (limit - bounds.high, limit - bounds.low) if more_is_worse else (bounds.low - limit, bounds.high - limit)
    )
    return "passed" if low > _SAME else "failed" if high < -_SAME else "unclear"


def compared(
    name: str,
    unit: Unit,
    mine: float,
    theirs: float,
    bounds: Bounds,
    level: float,
    limit: float,
    more_is_worse: bool = False,
) -> Figure:
    """A figure with both versions in it."""
    limited = f"{'less' if more_is_worse else 'more'} than {_spelled(unit, limit)} wanted"
    said = f"{name} {mine:.4f} against {theirs:.4f}, {_between(unit, bounds)}, {limited}, {_over(bounds.people)}"
    state = state_of(bounds, limit, more_is_worse)
    return Figure(name, unit, mine, theirs, *bounds[:3], level, limit, bounds.people, state, said)


def value(name: str, found: float, limit: float, passed: bool, cause: str, fact: str, people: int = 0) -> Figure:
    """A figure with the challenger alone in it."""
    said = fact if passed else f"{cause}: {fact}"
    state: State = "passed" if passed else "failed"
    return Figure(name, "value", float(found), limit=limit, people=people, state=state, said=said)


def _between(unit: Unit, bounds: Bounds) -> str:
    value = _spelled(unit, bounds.value)
    if not math.isfinite(bounds.error):
        return f"{value} and all uncertain"
    return f"{value} ({_spelled(unit, bounds.low)} to {_spelled(unit, bounds.high)})"


def _spelled(unit: Unit, value: float) -> str:
    return f"{value:+.1%}" if unit == "relative" else f"{value:+.3f}"


def _over(people: int) -> str:
    return f"over {people:,} {'person' if people == 1 else 'people'}"


def among(figures: Iterable[Figure], state: State) -> list[str]:
    """What those in a state say."""
    return [figure.said for figure in figures if figure.state == state]


def mean(values: np.ndarray) -> float:
    """Over those who have one, NaN where nobody has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
