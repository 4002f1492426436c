"""Guards: what must not get worse beside the main metric, each a figure with its margin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recsys.gate.bounds import difference, jackknife, ratio
from recsys.gate.figures import Figure, compared, mean
from recsys.gate.latency import seconds
from recsys.gate.measured import LIFT, LIST, TAIL_METRIC, Measured
from recsys.gate.rules import Rules
from recsys.gate.trial import Trial


def guards(challenger: Measured, champion: Measured, trial: Trial, rules: Rules, seed: int) -> list[Figure]:
    """Six figures: "passed" where a loss beyond the margin is ruled out, "failed" where it is shown, else "unclear".

    Where the champion's own value may be 0 there is nothing to lose by, and the figure is only "told".
    """
    mine, theirs = (one.values[rules.metric][trial.cold] for one in (challenger, champion))
    leaning, usual = challenger.values[LIFT], champion.values[LIFT]
    more = difference(leaning - usual, rules.guard_level)
    return [
        _lower(f"{rules.metric} of the cold", mine, theirs, rules.cold, rules.guard_level),
        _lower(f"{TAIL_METRIC} of tail items", challenger.tail, champion.tail, rules.tail, rules.guard_level),
        _coverage(challenger, champion, trial, rules, seed),
        compared(
            LIFT,
            "absolute",
            mean(leaning),
            mean(usual),
            more,
            rules.guard_level,
            rules.popularity_lift,
            more_is_worse=True,
        ),
        _latency(challenger, champion, trial, rules),
        _times("size", "MB", challenger.size / 1e6, champion.size / 1e6, rules.size),
    ]


def _lower(name: str, mine: np.ndarray, theirs: np.ndarray, margin: float, level: float) -> Figure:
    """How much lower a mean over people is, as a share of the champion's."""
    figure = compared(name, "relative", mean(mine), mean(theirs), ratio(mine, theirs, level), level, -margin)
    if difference(theirs, level).low > 0:
        return figure
    said = f"{name} {figure.challenger:.4f} against {figure.champion:.4f}, which may as well be 0: nothing to lose"
    return replace(figure, state="told", said=said)


def _coverage(challenger: Measured, champion: Measured, trial: Trial, rules: Rules, seed: int) -> Figure:
    there = trial.taken > 0

    def listed(one: Measured, people: np.ndarray) -> float:
        lists = one.lists[people, :LIST]
        return float((np.bincount(lists[lists >= 0], minlength=len(there))[there] > 0).mean())

    def change(people: np.ndarray) -> float:
        usual = listed(champion, people)
        return listed(challenger, people) / usual - 1 if usual else np.nan

    found = jackknife(change, trial.people, seed, rules.guard_level)
    mine, theirs = (listed(one, np.ones(trial.people, dtype=bool)) for one in (challenger, champion))
    return compared(f"coverage@{LIST}", "relative", mine, theirs, found, rules.guard_level, -rules.coverage)


def _latency(challenger: Measured, champion: Measured, trial: Trial, rules: Rules) -> Figure:
    """The champion's median over people, and that times the median ratio."""
    mine, theirs = seconds(challenger.scorer, champion.scorer, trial.judged)
    usual = float(np.median(theirs)) * 1000
    return _times("latency", "ms", usual * float(np.median(mine / theirs)), usual, rules.latency)


def _times(name: str, unit: str, mine: float, theirs: float, most: float) -> Figure:
    times = mine / theirs
    said = f"{name} {mine:,.2f} {unit} against {theirs:,.2f}, {times:.1f} times as much, at most {most:g} times wanted"
    return Figure(
        name, "ratio", mine, theirs, times, limit=most, state="passed" if times <= most else "failed", said=said
    )
