"""Plot: a metric against the length of the list it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.reports.plots.lines import lines
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import drawing, svg


def cutoffs(models: Mapping[str, Any], marks: Mapping[str, Mark], metric: str) -> str:
    """models: the report's, those with cutoffs[metric] drawn: {"1": {mean, low, high}, "5": ...}."""
    found = {}
    for name, model in models.items():
        values = (model.get("cutoffs") or {}).get(metric)
        if values:
            found[name] = [
                (float(k), one["mean"], one.get("low"), one.get("high"))
                for k, one in sorted(values.items(), key=lambda pair: int(pair[0]))
            ]
    ticks = {point[0]: f"{point[0]:.0f}" for points in found.values() for point in points}
    with drawing(f"cutoffs-{metric}"):
        axes = lines(found, marks, "k: length of the list, items (log scale)", f"{metric}@k", ticks, log=True)
        return svg(axes, f"plot-cutoffs-{metric}", f"{metric}@k of each model for lists of k items")
