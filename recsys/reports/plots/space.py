"""Plot: items on a plane, coloured by category, each category named where it is thickest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from scipy.spatial import KDTree

from recsys.reports.plots.labels import spread
from recsys.reports.plots.numbers import plain
from recsys.reports.plots.sheet import SOFT, TEXT, WIDTH, category_colour, drawing, sheet, svg, write

OTHER = "other"
_NEAR = 25  # items around one that say how thick its category is there


def space(
    points: Sequence[Sequence[float]],
    of: Sequence[str],
    categories: Sequence[str],
    axes_names: tuple[str, str],
    name: str,
    title: str,
) -> str:
    """points: (x, y) an item; of: each item's category, one of `categories`; name: of this plot alone on its page."""
    at = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    which = np.asarray(of, dtype=object)
    with drawing(name):
        axes = sheet(430, left=8, right=8, top=22, bottom=24)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        low, high = at.min(axis=0), at.max(axis=0)
        margin = np.where(high > low, (high - low) * 0.03, 1.0)
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        named = [one for one in categories if one != OTHER]
        for category in (OTHER, *named):
            mine = at[which == category]
            if len(mine) == 0:
                continue
            colour = SOFT if category == OTHER else category_colour(named.index(category))
            dots = Path(np.repeat(mine, 2, axis=0), np.tile([Path.MOVETO, Path.LINETO], len(mine)))
            strength = 0.35 if category == OTHER else 0.7
            patch = PathPatch(dots, fill=False, edgecolor=colour, lw=4.5, capstyle="round", alpha=strength)
            patch.set_gid(f"part:category-{categories.index(category)}")
            axes.add_patch(patch)
        thick = {one: _thickest(at, which == one) for one in named if (which == one).any()}
        pixels = {one: axes.transData.transform(where) for one, where in thick.items()}
        heights = spread([y + 15 for _, y in pixels.values()], [TEXT + 4] * len(pixels), 24, 405)
        for (one, (x, _)), y in zip(pixels.items(), heights, strict=True):
            text = plain(one, 26)
            half = 4.6 * len(text)
            x = min(max(x, half + 4), WIDTH - half - 4)
            write(axes, x, y - 5, text, ha="center", weight="bold", color=category_colour(named.index(one)))
        write(axes, WIDTH / 2, 7, axes_names[0], ha="center", color=SOFT)
        write(axes, 2, 416, axes_names[1], color=SOFT)
        return svg(axes, name, title)


def _thickest(at: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """The item of the category with most of the category around it."""
    _, near = KDTree(at).query(at[mine], k=min(_NEAR, len(at)))
    return at[mine][mine[near.reshape(mine.sum(), -1)].sum(axis=1).argmax()]
