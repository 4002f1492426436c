"""Spending: how much of a year's risk of a wrong promotion this night may take."""

from __future__ import annotations

from recsys.gate.rules import Rules

DAYS = 365  # of nights whose risk counts together
SHARE = 1 / 100  # of what they left over


def level_tonight(spent: float, rules: Rules) -> float:
    """The level of tonight's main test: a hundredth of what the levels of the last DAYS days left over of alpha.

    spent: the sum of those levels. The chance that any of many tests errs is at most the sum of their levels, whatever
    they share (Bonferroni's inequality, the union bound); here that sum never exceeds alpha over any DAYS days, however
    many nights there are: with this one it is spent + (alpha - spent) / 100, still below alpha, and every such span
    ends with some night. It is above 0 as long as alpha was not lowered since; with a night a day it settles at
    alpha / 465, with one an hour at alpha / 8,860. Like alpha investing (Foster and Stine 2008), but a promotion earns
    nothing back.

    What is bounded is a promotion of what is truly worse: than the champion by more than the margin, or, with
    ``better``, not better at all.
    """
    return max(rules.alpha - spent, 0.0) * SHARE
