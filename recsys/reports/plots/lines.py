"""Lines: each model's values along a scale, with intervals, its name at the end of its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from recsys.reports.plots.labels import name_ends, room
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import name_axes, sheet

Point = tuple[float, float, float | None, float | None]  # x, value, low, high


def lines(
    models: Mapping[str, Sequence[Point]],
    marks: Mapping[str, Mark],
    x: str,
    y: str,
    ticks: Mapping[float, str] | None = None,
    *,
    height: float = 320,
    log: bool = False,
    limits: tuple[float, float] | None = None,
    bottom: float = 46,
    markers: bool = True,
) -> Axes:
    """The axes, drawn. models: name -> its points, x ascending. ticks: where on the x scale stands what."""
    axes = sheet(height, right=room({name: marks[name] for name in models}), top=34, bottom=bottom)
    if log:
        axes.set_xscale("log")
        axes.minorticks_off()
    for name, points in models.items():
        mark = marks[name]
        at = [point[0] for point in points]
        values = [point[1] for point in points]
        for px, _, low, high in points:
            if low is not None and high is not None:
                bar = axes.plot([px, px], [low, high], color=mark.colour, lw=1.5, alpha=0.55, clip_on=False)
                bar[0].set_gid(f"part:interval-{mark.number}")
        line = axes.plot(at, values, **mark.line(marker=mark.marker if markers else ""))
        line[0].set_gid(f"part:line-{mark.number}")
    if ticks:
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.minorticks_off()
    axes.grid(axis="y")
    axes.locator_params(axis="y", nbins=6)
    axes.margins(y=0.06)
    if limits:
        axes.set_xlim(*limits)
    name_ends(axes, {name: (points[-1][0], points[-1][1]) for name, points in models.items()}, marks)
    name_axes(axes, x, y)
    return axes
