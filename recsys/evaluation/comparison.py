"""Comparison: two models in one metric over the same people, with what chance has to do with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """a minus b in one metric, over the same people.

    p: paired sign-flip; p_adjusted: Holm over the whole evaluation. detectable: the smallest true difference that would
    be found on so many people four times in five.
    """

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    detectable: float
    users: int
