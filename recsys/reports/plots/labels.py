"""Labels beside what they name: at the right end of each line, moved apart where they would touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import IdentityTransform

from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import TEXT, write

_LETTER = 8.5  # CSS pixels of a letter in the widest of the page's fonts
_GAP = 22  # CSS pixels between a line's end and its name


def room(marks: Mapping[str, Mark]) -> float:
    """The right margin that the names need, CSS pixels."""
    return min(186, 14 + _GAP + _LETTER * max((len(line) for one in marks.values() for line in one.lines), default=0))


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres near the wanted ones, in the same order, so that things of these sizes do not touch.

    Inside low..high where they fit at all.
    """
    order = np.argsort(np.asarray(wanted, dtype=np.float64), kind="stable")
    at = np.asarray(wanted, dtype=np.float64)[order]
    half = np.asarray(sizes, dtype=np.float64)[order] / 2
    up, down = at.copy(), at.copy()
    for i in range(1, len(at)):
        up[i] = max(up[i], up[i - 1] + half[i - 1] + half[i])
    for i in range(len(at) - 2, -1, -1):
        down[i] = min(down[i], down[i + 1] - half[i] - half[i + 1])
    middle = (up + down) / 2
    for i in range(len(at)):
        middle[i] = max(middle[i], (low if i == 0 else middle[i - 1] + half[i - 1]) + half[i])
    for i in range(len(at) - 1, -1, -1):
        middle[i] = min(middle[i], (high if i == len(at) - 1 else middle[i + 1] - half[i + 1]) - half[i])
    placed = np.empty(len(at))
    placed[order] = middle
    return placed.tolist()


def settle(axes: Axes) -> None:
    """Fix the limits: until somebody asks for them, matplotlib has not worked them out."""
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())


def name_ends(axes: Axes, ends: Mapping[str, tuple[float, float]], marks: Mapping[str, Mark]) -> None:
    """Each model's name right of the axes, tied to the end of its line. ends: name -> (x, y) in data units."""
    settle(axes)
    box = axes.get_window_extent()
    names = list(ends)
    points = [axes.transData.transform(ends[name]) for name in names]
    sizes = [len(marks[name].lines) * (TEXT + 2) + 3 for name in names]
    heights = spread([point[1] for point in points], sizes, 20, box.y1 + 12)
    x = box.x1 + _GAP
    for name, point, y in zip(names, points, heights, strict=True):
        mark = marks[name]
        tie = Line2D(
            [point[0] + 6, x - 10, x - 3], [point[1], y, y], color=mark.colour, lw=1, transform=IdentityTransform()
        )
        tie.set_clip_on(False)
        axes.add_artist(tie)
        for i, line in enumerate(mark.lines):
            down = (i - (len(mark.lines) - 1) / 2) * (TEXT + 2)
            write(axes, x, y - down - TEXT * 0.36, line, color=mark.colour, weight="bold")
