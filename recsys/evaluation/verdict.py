"""The verdict: what an evaluation comes to, in one sentence that somebody who reads nothing else may act on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.evaluation.checks import Check, Status
from recsys.evaluation.comparison import Comparison
from recsys.evaluation.statistics import Interval

LEVEL = 0.05
ABOUT_A_MODEL = ("beats popularity", "models fitted", "scores differ")  # a model is bad then, not a number


@dataclass(frozen=True, slots=True)
class Verdict:
    """status: the worst of the checks. winner: the model with the best mean; text says whether that is sure.

    valid: no failed check says that the numbers are not what they seem; one that says a model is bad may have failed.
    """

    status: Status
    text: str
    metric: str
    winner: str
    valid: bool


def verdict(
    intervals: Mapping[str, Interval], comparisons: Sequence[Comparison], checks: Sequence[Check], metric: str
) -> Verdict:
    """intervals: by model, of the metric to decide by, where more is better; comparisons: of all pairs and metrics."""
    ranked = sorted(intervals, key=lambda name: -intervals[name].mean)
    winner = ranked[0]
    failed = [check for check in checks if check.status == "fail"]
    warned = sum(check.status == "warn" for check in checks)
    text = _ranking(ranked, intervals, comparisons, metric)
    invalid = [check for check in failed if check.name not in ABOUT_A_MODEL]
    if invalid:
        more = f" (and {len(invalid) - 1} more)" if invalid[1:] else ""
        text = f"Do not use these numbers: the check '{invalid[0].name}' failed{more}: {invalid[0].detail}."
    elif failed:
        text = f"{_capital('; '.join(check.detail for check in failed[:2]))}. {text}"
    elif warned:
        text += f" {_capital(_counted(warned, 'warning'))} to read first."
    status: Status = "fail" if failed else "warn" if warned else "ok"
    return Verdict(status, text, metric, winner, not invalid)


def _ranking(
    ranked: Sequence[str], intervals: Mapping[str, Interval], comparisons: Sequence[Comparison], metric: str
) -> str:
    best = intervals[ranked[0]]
    figure = f"{metric} {best.mean:.4f} (95% interval {best.low:.4f} to {best.high:.4f})"
    if len(ranked) == 1:
        return f"{ranked[0]} has {figure}; with nothing beside it that says little."
    level = [ranked[0]]
    for name in ranked[1:]:
        found = _between(ranked[0], name, comparisons, metric)
        if found is not None and found.p_adjusted > LEVEL:
            level.append(name)
    behind = [name for name in ranked if name not in level]
    if level[1:]:
        pairs = [_between(ranked[0], name, comparisons, metric) for name in level[1:]]
        known = [pair.detectable for pair in pairs if pair is not None and math.isfinite(pair.detectable)]
        unseen = max(known, default=0.0)
        seen = f", and a true difference under {unseen:.4f} could well go unseen" if unseen else ""
        text = f"{_listed(level)} cannot be told apart by {metric} (best: {ranked[0]}, {best.mean:.4f}){seen}."
        if not behind:
            return text
        all_are = all(_ahead(one, other, comparisons, metric) for one in level for other in behind)
        return f"{text} {'They are' if all_are else f'Of these, {ranked[0]} is'} ahead of {_listed(behind)}."
    found = _between(ranked[0], ranked[1], comparisons, metric)
    if found is None:
        return f"{ranked[0]} is ahead with {figure}."
    gain = abs(found.difference)
    low, high = (found.low, found.high) if found.a == ranked[0] else (-found.high, -found.low)
    next_mean = intervals[ranked[1]].mean
    share = f"{gain / next_mean:.1%}" if next_mean > 0 else f"{gain:.4f}"
    return (
        f"{ranked[0]} ranks best: its {metric} of {best.mean:.4f} is {share} above that of {ranked[1]}, the next, and "
        f"that is more than chance ({gain:.4f}, 95% interval {low:.4f} to {high:.4f}, "
        f"adjusted p {_p(found.p_adjusted)})."
    )


def _between(a: str, b: str, comparisons: Sequence[Comparison], metric: str) -> Comparison | None:
    return next((one for one in comparisons if {one.a, one.b} == {a, b} and one.metric == metric), None)


def _ahead(a: str, b: str, comparisons: Sequence[Comparison], metric: str) -> bool:
    """Is a better than b, and surely so?"""
    found = _between(a, b, comparisons, metric)
    if found is None or found.p_adjusted > LEVEL:
        return False
    return found.difference > 0 if found.a == a else found.difference < 0


def _p(value: float) -> str:
    return "below .001" if value < 0.001 else f"{value:.3f}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _counted(count: int, noun: str) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return f"{words[count] if count < len(words) else count} {noun}{'' if count == 1 else 's'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
