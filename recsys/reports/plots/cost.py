"""Plots: what each model costs, in time and in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recsys.reports.plots.numbers import duration, size
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.rows import Row, rows
from recsys.reports.plots.sheet import drawing, svg

_TIMES = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 360000)
_SIZES = tuple(10.0**power for power in range(2, 13))


def times(models: Mapping[str, Any], marks: Mapping[str, Mark]) -> str:
    """models: the report's, with seconds: {fit, score}."""
    found = {
        name: [(f"{what} {duration(spent)}", spent) for what, spent in _seconds(model)]
        for name, model in models.items()
    }
    return _drawn(found, marks, "time (log scale)", _TIMES, duration, "plot-times", "Time to fit and to score")


def memory(models: Mapping[str, Any], marks: Mapping[str, Mark]) -> str:
    """models: the report's, with bytes (the model) and peak_memory (the process while it was fitted), where known."""
    found = {
        name: [
            (f"{what} {size(model[key])}", model[key])
            for what, key in (("model", "bytes"), ("peak of the fit", "peak_memory"))
            if model.get(key) is not None
        ]
        for name, model in models.items()
    }
    return _drawn(
        found, marks, "memory (log scale)", _SIZES, size, "plot-memory", "Memory of each model and of its fit"
    )


def _seconds(model: Mapping[str, Any]) -> list[tuple[str, float]]:
    seconds = model.get("seconds") or {}
    return [
        (what, seconds[key]) for what, key in (("fit", "fit"), ("scoring", "score")) if seconds.get(key) is not None
    ]


def _drawn(
    found: Mapping[str, list[tuple[str, float]]],
    marks: Mapping[str, Mark],
    x: str,
    ticks: tuple[float, ...],
    words: Callable[[float], str],
    name: str,
    title: str,
) -> str:
    values = [max(value, ticks[0]) for some in found.values() for _, value in some]
    low = max((one for one in ticks if one <= min(values)), default=ticks[0])
    high = min((one for one in ticks if one >= max(values)), default=max(values))
    with drawing(name):
        axes = rows(
            {
                model: [Row(max(value, ticks[0]), text, hollow=i > 0) for i, (text, value) in enumerate(some)]
                for model, some in found.items()
                if some
            },
            marks,
            x,
            (low * 0.8, max(high, low * 10) * 1.25),
            log=True,
        )
        shown = [one for one in ticks if low <= one <= max(high, low * 10)]
        shown = shown[:: -(-len(shown) // 5)]
        axes.set_xticks(shown, [words(one) for one in shown])
        axes.minorticks_off()
        return svg(axes, name, title)
