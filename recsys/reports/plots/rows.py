"""Rows: values of each model on one scale, the model's name above its rows, so that it may be as long as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from recsys.reports.plots.numbers import plain
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import CARD, INK, LETTER, SOFT, TEXT, WIDTH, name_axes, sheet, write

HEAD, ROW = 21, 21  # CSS pixels of a name, of a row below it
LEFT, RIGHT, TOP, BOTTOM = 10, 14, 6, 46


@dataclass(frozen=True, slots=True)
class Row:
    """One value. text: what is written beside it; low and high: its interval, where it has one; hollow: drawn empty;
    leftward: its text rather on the left."""

    value: float
    text: str
    low: float | None = None
    high: float | None = None
    hollow: bool = False
    leftward: bool = False


def rows(
    models: Mapping[str, Sequence[Row]],
    marks: Mapping[str, Mark],
    x: str,
    limits: tuple[float, float] | None = None,
    *,
    log: bool = False,
    top: float = TOP,
) -> Axes:
    """The axes, drawn. models: name -> its rows, in the order shown; x: the scale's name and unit."""
    lines = sum(HEAD + ROW * len(found) + 6 for found in models.values())
    axes = sheet(top + lines + BOTTOM, left=LEFT, right=RIGHT, top=top, bottom=BOTTOM)
    axes.set_ylim(lines, 0)
    axes.set_yticks([])
    if log:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xlim(*(limits or _limits(models)))
    if not log:
        axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x")
    y = 0.0
    for name, found in models.items():
        mark = marks[name]
        box = axes.get_window_extent()
        write(axes, LEFT, box.y1 - y - 15, plain(name, 48), color=mark.colour, weight="bold")
        y += HEAD
        for row in found:
            _draw(axes, row, mark, y + ROW / 2 - 2)
            y += ROW
        y += 6
    name_axes(axes, x)
    return axes


def _limits(models: Mapping[str, Sequence[Row]]) -> tuple[float, float]:
    every = [row for found in models.values() for row in found]
    low = min(row.value if row.low is None else row.low for row in every)
    high = max(row.value if row.high is None else row.high for row in every)
    wide = (high - low) or abs(high) or 1.0
    return low - 0.06 * wide, high + 0.06 * wide


def _wide(axes: Axes, low: float, high: float) -> float:
    """CSS pixels."""
    ends = axes.transData.transform([(low, 0.0), (high, 0.0)])
    return float(ends[1, 0] - ends[0, 0])


def _draw(axes: Axes, row: Row, mark: Mark, y: float) -> None:
    box = axes.get_window_extent()
    if row.low is not None and row.high is not None and _wide(axes, row.low, row.high) > 10:  # else the marker hides it
        bar = axes.plot([row.low, row.high], [y, y], color=mark.colour, lw=3, solid_capstyle="butt", clip_on=False)
        bar[0].set_gid(f"part:interval-{mark.number}")
    points = axes.plot([row.value], [y], **mark.points(markersize=9))
    points[0].set_gid(f"part:point-{mark.number}")
    if row.hollow:
        points[0].set(markerfacecolor=CARD, markeredgecolor=mark.colour, markeredgewidth=2)
    if not row.text:
        return
    ends = [axes.transData.transform((value, y))[0] for value in (row.low, row.value, row.high) if value is not None]
    pixel = axes.transData.transform((row.value, y))[1] - TEXT * 0.36
    text = plain(row.text)
    right = max(ends) + 12 + LETTER * len(text) < WIDTH - 4
    left = min(ends) - 12 - LETTER * len(text) > box.x0
    if left and (row.leftward or not right):
        write(axes, min(ends) - 10, pixel, text, color=INK, ha="right")
    elif right:
        write(axes, max(ends) + 10, pixel, text, color=INK)
    else:  # no room on either side: at the end of the name's line
        write(axes, WIDTH - RIGHT, pixel + 19, text, color=SOFT, ha="right")
