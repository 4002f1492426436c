"""Plot: how good each model is against how popular the items are that it recommends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.reports.plots.labels import settle, spread
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import TEXT, WIDTH, drawing, name_axes, sheet, svg, write

_WORDS = {
    "popularity_lift": "{}: above 0, more popular than the history",
    "novelty": "{}, bits: further right, less popular items",
}
_LETTER = 8.5


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


def _name(axes: Any, points: Mapping[str, tuple[float, float]], marks: Mapping[str, Mark]) -> None:
    """Each name beside its point, on the side with more room; those of one side moved apart."""
    settle(axes)
    box = axes.get_window_extent()
    for side in ("left", "right"):
        at = {name: axes.transData.transform(point) for name, point in points.items()}
        here = [name for name, point in at.items() if (point[0] > (box.x0 + box.x1) / 2) == (side == "left")]
        sizes = [len(marks[name].lines) * (TEXT + 2) + 3 for name in here]
        heights = spread([at[name][1] for name in here], sizes, box.y0, box.y1 + 8)
        for name, y in zip(here, heights, strict=True):
            longest = max(len(line) for line in marks[name].lines) * _LETTER
            px = at[name][0] + (12 if side == "right" else -12)
            px = min(px, WIDTH - 4 - longest) if side == "right" else max(px, 4 + longest)
            for i, line in enumerate(marks[name].lines):
                down = (i - (len(marks[name].lines) - 1) / 2) * (TEXT + 2)
                ha = "left" if side == "right" else "right"
                write(axes, px, y - down - TEXT * 0.36, line, color=marks[name].colour, weight="bold", ha=ha)
