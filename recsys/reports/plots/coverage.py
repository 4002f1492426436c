"""Plot: how much of the catalogue each model ever recommends, and how evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recsys.reports.plots.headline import interval_row
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.rows import rows
from recsys.reports.plots.sheet import drawing, svg


def coverage(models: Mapping[str, Any], marks: Mapping[str, Mark], metrics: Sequence[str]) -> str:
    """metrics: those of coverage@k and gini@k that the report has; both lie between 0 and 1."""
    found = {
        name: [
            replace(interval_row(model["metrics"][one], 3, one), hollow=i > 0)
            for i, one in enumerate(metrics)
            if one in model["metrics"]
        ]
        for name, model in models.items()
    }
    with drawing("coverage"):
        x = "coverage: share of all items.  gini: 0 even, 1 one item"
        axes = rows({name: some for name, some in found.items() if some}, marks, x, (0.0, 1.0))
        return svg(axes, "plot-coverage", f"{' and '.join(metrics)} of each model")
