"""Plot: the validation metric of each model while it trains, against the seconds spent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.reports.plots.lines import lines
from recsys.reports.plots.numbers import duration
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import drawing, svg

_TICKS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000)


def curve(models: Mapping[str, Any], marks: Mapping[str, Mark], metric: str) -> str:
    """models: the report's; drawn are those whose curve is in this metric. A ring marks the step that was kept."""
    found = {name: values(model["curve"]) for name, model in models.items() if told(model, metric)}
    times = [point[0] for points in found.values() for point in points]
    log = max(times) > 30 * max(min(times), 1e-3)
    if log:
        found = {name: [(max(point[0], 1e-3), *point[1:]) for point in points] for name, points in found.items()}
    ticks = {one: duration(one) for one in _TICKS if max(min(times), 1e-3) <= one <= max(times)} if log else None
    with drawing("curve"):
        x = "time spent training (log scale)" if log else "time spent training, seconds"
        axes = lines(found, marks, x, f"{metric} on the validation part", ticks, log=log, markers=False)
        for name, points in found.items():
            best = max(points, key=lambda point: point[1])
            style = marks[name].points(marker="o", markersize=9, markerfacecolor="none", markeredgewidth=2)
            ring = axes.plot([best[0]], [best[1]], **{**style, "markeredgecolor": marks[name].colour})
            ring[0].set_gid(f"part:best-{marks[name].number}")
        return svg(axes, "plot-curve", f"{metric} on the validation part against training time")


def told(model: Mapping[str, Any], metric: str) -> bool:
    return bool(model.get("curve")) and model["curve"].get("metric") == metric and bool(values(model["curve"]))


def values(found: Mapping[str, Any]) -> list[tuple[float, float, None, None]]:
    """(seconds, value) of the steps that have one; the step's number where the seconds are not known."""
    timed = all(step.get("seconds") is not None for step in found["steps"])
    return [
        (float(step["seconds"] if timed else step["step"]), float(step["value"]), None, None)
        for step in found["steps"]
        if step.get("value") is not None
    ]
