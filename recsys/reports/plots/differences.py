"""Plot: how far each model is from the one they are compared with, user by user, and what the test could have seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.patches import Rectangle

from recsys.reports.plots.numbers import chance, decimals, plain, signed
from recsys.reports.plots.roster import Mark
from recsys.reports.plots.rows import HEAD, LEFT, ROW, Row, rows
from recsys.reports.plots.sheet import BAND, INK, SOFT, WIDTH, drawing, svg, write

SURE = 0.05  # an adjusted p below it fills the marker


def differences(found: Sequence[Mapping[str, Any]], marks: Mapping[str, Mark], metric: str, against: str) -> str:
    """found: a row a model, {model, difference, low, high, p_adjusted, detectable}: the model minus `against`."""
    reach = [one.get("detectable") or 0.0 for one in found]
    low = min(0.0, *(one["low"] for one in found), *(-one for one in reach))
    high = max(0.0, *(one["high"] for one in found), *reach)
    wide = (high - low) or 1.0
    places = decimals(one["difference"] for one in found)
    with drawing("differences"):
        axes = rows(
            {one["model"]: [_row(one, places)] for one in found},
            marks,
            f"difference in {metric}, paired over users",
            (low - 0.06 * wide, high + 0.06 * wide),
            top=46,
        )
        bottom = axes.get_ylim()[0]
        axes.plot([0, 0], [0, bottom], color=INK, lw=1.5, clip_on=False)
        for i, one in enumerate(reach):
            if one:
                y = i * (HEAD + ROW + 6) + HEAD - 5
                band = Rectangle((-one, y), 2 * one, ROW + 6 - 2 * 3, facecolor=BAND, edgecolor="none", zorder=0.5)
                band.set_gid("part:detectable")
                axes.add_patch(band)
        zero = axes.transData.transform((0, 0))
        side = "right" if zero[0] > WIDTH * 0.55 else "left"
        if any(reach):
            write(axes, LEFT, zero[1] + 25, "grey: too small for this test to find 4 times in 5", color=SOFT)
        text = plain(f"0 = as good as {against}", 50)
        write(axes, zero[0] + (6 if side == "left" else 0), zero[1] + 6, text, ha=side, color=INK, weight="bold")
        worse_left = "← worse" if zero[0] > 110 else ""
        write(axes, LEFT, 8, worse_left, color=SOFT)
        write(axes, WIDTH - LEFT, 8, "better →" if zero[0] < WIDTH - 110 else "", ha="right", color=SOFT)
        return svg(
            axes, "plot-differences", f"Paired difference in {metric} of each model from {against}, 95% intervals"
        )


def _row(one: Mapping[str, Any], places: int) -> Row:
    p = one.get("p_adjusted")
    text = f"{signed(one['difference'], places)}, p {chance(p)}" if p is not None else signed(one["difference"], places)
    unsure = p is None or p >= SURE
    return Row(one["difference"], text, one["low"], one["high"], hollow=unsure, leftward=one["difference"] < 0)
