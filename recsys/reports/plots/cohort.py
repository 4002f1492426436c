"""Plot: one metric of each model within each group of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.reports.plots.labels import room
from recsys.reports.plots.lines import lines
from recsys.reports.plots.roster import Mark, one_line
from recsys.reports.plots.sheet import LETTER, WIDTH, drawing, svg

MOST = 5  # groups whose names have room below the axis


def drawn(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The groups that are drawn, in their order: the MOST largest."""
    largest = sorted(range(len(groups)), key=lambda i: -groups[i]["users"])[:MOST]
    return [groups[i] for i in sorted(largest)]


def cohort(groups: Sequence[Mapping[str, Any]], marks: Mapping[str, Mark], metric: str, of: str, number: int) -> str:
    """groups: those drawn, of the report's cohort; of: what their count counts; number: tells the plots apart."""
    found: dict[str, list[Any]] = {}
    names = [name for name in marks if any(metric in group["models"].get(name, {}) for group in groups)]
    for place, name in enumerate(names):
        aside = 0.07 * (place - (len(names) - 1) / 2)
        found[name] = [
            (i + aside, value["mean"], value.get("low"), value.get("high"))
            for i, group in enumerate(groups)
            if (value := group["models"].get(name, {}).get(metric))
        ]
    lowered = len(groups) > 3  # every other name stands below its neighbours
    width = int((WIDTH - 44 - room(marks)) / len(groups) / LETTER * (1.9 if lowered else 1))
    ticks = {}
    for i, group in enumerate(groups):
        users = f"{group['users']:,} user{'s' * (group['users'] != 1)}"
        ticks[float(i)] = "\n\n" * (lowered and i % 2) + f"{one_line(group['name'], width)}\n{users}"
    with drawing(f"cohort-{number}"):
        ends, bottom = (-0.4, len(groups) - 0.6), 76 if lowered else 42
        axes = lines(found, marks, "", metric, ticks, height=290 + bottom, limits=ends, bottom=bottom)
        return svg(axes, f"plot-cohort-{number}", f"{metric} of each model in each group of {of}")
