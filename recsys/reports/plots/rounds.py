"""Plot: one metric of each model in each round (seed or time) of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.reports.plots.lines import lines
from recsys.reports.plots.roster import Mark, one_line, two_lines
from recsys.reports.plots.sheet import drawing, svg


def rounds(found: Sequence[Mapping[str, Any]], marks: Mapping[str, Mark], metric: str) -> str:
    """found: the report's rounds, two or more."""
    models = {
        name: [
            (float(i), one["models"][name][metric], None, None)
            for i, one in enumerate(found)
            if metric in one["models"].get(name, {})
        ]
        for name in marks
    }
    models = {name: points for name, points in models.items() if points}
    step = -(-len(found) // 6)
    width = max(7, 40 // min(len(found), 6))
    ticks = {float(i): _label(str(found[i]["label"]), width) for i in range(0, len(found), step)}
    with drawing("rounds"):
        return svg(
            lines(models, marks, "", metric, ticks), "plot-rounds", f"{metric} of each model in each of the rounds"
        )


def _label(text: str, width: int) -> str:
    """On two lines where it is too long for one; a date is not torn."""
    first, space, last = text.rpartition(" ")
    if len(text) > width and space and max(len(first), len(last)) <= width:
        return f"{one_line(first, width)}\n{one_line(last, width)}"
    return "\n".join(two_lines(text, width))
