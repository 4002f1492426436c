"""Plot: the main metric of every model with its 95% interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.reports.plots.numbers import decimals, number
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.rows import Row, rows
from recsys.reports.plots.sheet import drawing, svg


def headline(models: Mapping[str, Any], marks: Mapping[str, Mark], metric: str) -> str:
    """models: the report's. Best first, by the mean."""
    found = {name: model["metrics"][metric] for name, model in models.items() if metric in model["metrics"]}
    places = decimals(one["mean"] for one in found.values())
    best_first = sorted(found, key=lambda name: -found[name]["mean"])
    with drawing("headline"):
        axes = rows(
            {name: [interval_row(found[name], places)] for name in best_first}, marks, f"{metric}, 95% interval"
        )
        return svg(axes, "plot-headline", f"{metric} of each model with its 95% interval, best first")


def interval_row(value: Mapping[str, Any], places: int, text: str = "") -> Row:
    """value: {mean, low, high} of the report; the interval may be missing."""
    shown = " ".join(part for part in (text, number(value["mean"], places)) if part)
    return Row(value["mean"], shown, value.get("low"), value.get("high"))
