"""Plot: how well histories are rebuilt from a bottleneck of some width, autoencoder and SVD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.reports.plots.lines import lines
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import drawing, svg


def bottlenecks(
    models: Mapping[str, Sequence[Mapping[str, Any]]], marks: Mapping[str, Mark], title: str, of: str = ""
) -> str:
    """models: name -> [{width, error, low, high}], of the report's bottlenecks; marks: of these names; title: of y.

    of "hidden_": the error of what was kept back, under hidden_error, hidden_low and hidden_high.
    """
    found = {
        name: [
            (float(one["width"]), one[f"{of}error"], one.get(f"{of}low"), one.get(f"{of}high"))
            for one in sorted(some, key=lambda one: one["width"])
            if one.get(f"{of}error") is not None
        ]
        for name, some in models.items()
        if some
    }
    ticks = {point[0]: f"{point[0]:.0f}" for points in found.values() for point in points}
    with drawing(f"bottlenecks-{of}"):
        axes = lines(found, marks, "width of the bottleneck, numbers a user (log scale)", title, ticks, log=True)
        return svg(
            axes, f"plot-bottlenecks{of and '-hidden'}", f"{title} against the width of the bottleneck, for each model"
        )
