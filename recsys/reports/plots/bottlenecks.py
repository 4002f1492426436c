"""Plot: how well histories are rebuilt from a bottleneck of some width, autoencoder and SVD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.reports.plots.lines import lines
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import drawing, svg


def bottlenecks(models: Mapping[str, Sequence[Mapping[str, Any]]], marks: Mapping[str, Mark], measure: str) -> str:
    """models: name -> [{width, error, low, high}], of the report's bottlenecks; marks: of these names."""
    found = {
        name: [
            (float(one["width"]), one["error"], one.get("low"), one.get("high"))
            for one in sorted(some, key=lambda one: one["width"])
        ]
        for name, some in models.items()
        if some
    }
    ticks = {point[0]: f"{point[0]:.0f}" for points in found.values() for point in points}
    with drawing("bottlenecks"):
        axes = lines(found, marks, "width of the bottleneck, numbers a user (log scale)", measure, ticks, log=True)
        return svg(axes, "plot-bottlenecks", f"{measure} against the width of the bottleneck, for each model")
