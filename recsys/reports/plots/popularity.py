"""Plot: how good each model is against how popular the items are that it recommends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from recsys.reports.plots.labels import settle
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import TEXT, WIDTH, drawing, name_axes, sheet, svg, write

_WORDS = {
    "popularity_lift": "{}: 0 as popular as the history, 1 twice",
    "novelty": "{}, bits: further right, less popular items",
}
_LETTER = 9.0
Box = tuple[float, float, float, float]  # left, low, right, high; CSS pixels


def axis(metrics: Mapping[str, Any]) -> str | None:
    """The metric that tells how popular the recommended items are, of those there are."""
    return next((name for kind in _WORDS for name in metrics if name.split("@")[0] == kind), None)


def popularity(models: Mapping[str, Any], marks: Mapping[str, Mark], x: str, y: str) -> str:
    """models: the report's; drawn are those with both metrics."""
    found = {name: model["metrics"] for name, model in models.items() if {x, y} <= set(model["metrics"])}
    with drawing("popularity"):
        axes = sheet(330, left=50, right=24)
        for name, metrics in found.items():
            mark = marks[name]
            for one, other, along in ((metrics[x], metrics[y]["mean"], True), (metrics[y], metrics[x]["mean"], False)):
                if one.get("low") is not None and one.get("high") is not None:
                    ends, still = [one["low"], one["high"]], [other, other]
                    xs, ys = (ends, still) if along else (still, ends)
                    axes.plot(xs, ys, color=mark.colour, lw=1.5, alpha=0.6, clip_on=False)
            axes.plot([metrics[x]["mean"]], [metrics[y]["mean"]], **mark.points(markersize=11))[0].set_gid(
                f"part:point-{mark.number}"
            )
        axes.margins(x=0.12, y=0.12)
        axes.grid()
        axes.locator_params(nbins=6)
        _name(axes, {name: (m[x]["mean"], m[y]["mean"]) for name, m in found.items()}, marks)
        name_axes(axes, _WORDS[x.split("@")[0]].format(x), y)
        return svg(axes, "plot-popularity", f"{y} of each model against {x}")


def _name(axes: Axes, points: Mapping[str, tuple[float, float]], marks: Mapping[str, Mark]) -> None:
    """Each name beside its point: the first place around it that covers no point and no other name."""
    settle(axes)
    at = {name: axes.transData.transform(point) for name, point in points.items()}
    taken = [(x - 10, y - 10, x + 10, y + 10) for x, y in at.values()]
    for name, (x, y) in at.items():
        mark = marks[name]
        wide = _LETTER * max(len(line) for line in mark.lines)
        tall = (TEXT + 2) * len(mark.lines)
        places = [
            (left, low, left + wide, low + tall)
            for away in (0, tall / 2 + 12, tall + 18)
            for low in (y - tall / 2 - away, y - tall / 2 + away)
            for left in (x - wide / 2, x + 12, x - 12 - wide)
            if (away or left != x - wide / 2) and left >= 46 and left + wide <= WIDTH and low > 44
        ]
        box = min(places or [(x + 12, y, x + 12 + wide, y + tall)], key=lambda box: _covered(box, taken))
        taken.append(box)
        for i, line in enumerate(mark.lines):
            write(axes, box[0], box[3] - (i + 1) * (TEXT + 2) + 3, line, color=mark.colour, weight="bold")


def _covered(box: Box, others: Sequence[Box]) -> float:
    """The area of box that lies on others."""
    return sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in others
    )
