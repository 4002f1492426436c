"""Plot: one metric of each model within each group of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.reports.plots.lines import lines
from recsys.reports.plots.numbers import plain
from recsys.reports.plots.roster import Mark, two_lines
from recsys.reports.plots.sheet import drawing, svg

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
    width = max(7, 44 // len(groups))
    ticks = {
        float(i): "\n".join([*two_lines(plain(group["name"]), width), f"{group['users']:,}"])
        for i, group in enumerate(groups)
    }
    with drawing(f"cohort-{number}"):
        axes = lines(found, marks, "", metric, ticks, height=330)
        axes.set_xlim(-0.4, len(groups) - 0.6)
        return svg(axes, f"plot-cohort-{number}", f"{metric} of each model in each group of {of}")
