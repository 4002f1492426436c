"""Weighing: what the main metric says of a challenger, against the champion and against where its chain began."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from recsys.gate.bounds import Bounds, ratio
from recsys.gate.figures import Figure, compared, mean, state_of
from recsys.gate.rules import Rules

POWER = 0.8  # with which as many people as are said to be needed would show what was seen


@dataclass(frozen=True, slots=True)
class Weighed:
    """decision: what the main metric asks for, before any guard. said: why. figures: one a comparison."""

    decision: Literal["promote", "keep", "inconclusive"]
    said: tuple[str, ...]
    figures: tuple[Figure, ...]
    better_than_anchor: bool


def weigh(mine: np.ndarray, champion: np.ndarray, anchor: np.ndarray | None, rules: Rules, level: float) -> Weighed:
    """All (people,): the main metric of the challenger, the champion, and the anchor if it is another version.

    "promote" when the limit is ruled out at ``level`` in every comparison, so a wrong one has at most that chance,
    however many comparisons there are (an intersection-union test, Berger 1982). "keep" when the challenger is shown,
    at ``rules.guard_level``, to be beyond the limit in any. The limit is a loss of the margin; with ``rules.better`` it
    is no gain at all against the champion.
    """
    limit = 0.0 if rules.better else -rules.margin
    asked = [(rules.metric, champion, limit)]
    if anchor is not None:
        asked.append((f"{rules.metric} beside the anchor", anchor, -rules.margin))
    figures, worse, needed = [], [], []
    for name, theirs, least in asked:
        found = ratio(mine, theirs, level)
        figures.append(compared(name, "relative", mean(mine), mean(theirs), found, level, least))
        usual = ratio(mine, theirs, rules.guard_level)
        shown = state_of(usual, least) == "failed" or (rules.better and found.error == 0 and found.value <= least)
        if shown:
            worse.append(compared(name, "relative", mean(mine), mean(theirs), usual, rules.guard_level, least).said)
        elif figures[-1].state != "passed":
            needed.append(f"{figures[-1].said}: {_people_needed(found, least, level)}")
    better = ratio(mine, champion if anchor is None else anchor, level).low > 0
    if worse:
        return Weighed("keep", tuple(worse), tuple(figures), False)
    if needed:
        return Weighed("inconclusive", tuple(needed), tuple(figures), False)
    return Weighed("promote", tuple(figure.said for figure in figures), tuple(figures), better)


def _people_needed(found: Bounds, limit: float, level: float) -> str:
    """In words: how many people would show it with a power of 80%, were what was seen the truth.

    n (z of 1 - level + z of power)^2 (standard error / distance to the limit)^2, z for t: n is large.
    """
    if not math.isfinite(found.error) or not level > 0:
        return "nobody can say how many people would show it"
    if found.value <= limit:
        return "were that the truth, no number of people would show it"
    z = -float(ndtri(level))
    times = (1 + float(ndtri(POWER)) / z) ** 2 * (found.error / (found.value - limit)) ** 2
    return f"were that the truth, about {_rounded(found.people * times):,} people would show it"


def _rounded(number: float) -> int:
    """Up, to two digits."""
    unit = 10 ** max(math.floor(math.log10(max(number, 1))) - 1, 0)
    return math.ceil(number / unit) * unit
