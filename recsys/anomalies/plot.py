"""Plot: every history's score against its length, with what is usual, the threshold and who is above it."""

from __future__ import annotations

from typing import Any

import numpy as np

from recsys.anomalies import Anomalies
from recsys.reports.plots.numbers import tick
from recsys.reports.plots.sheet import BAND, CARD, INK, SOFT, drawing, model_colour, name_axes, sheet, svg

FLAGGED, TWIN = model_colour(1), model_colour(0)
_DRAWN = 2000  # people who are not flagged; with more the file grows and the picture says no more
_BINS = 24
_BAND = (0.1, 0.9)


def plot(found: Anomalies) -> str:
    """One <svg> that takes its colours from the page's variables."""
    with drawing("anomalies"):
        axes = sheet(360, left=34, right=12, top=34)
        axes.set_xscale("log")
        quiet = np.flatnonzero(found.judged & ~found.flagged)
        quiet = quiet[np.random.default_rng(0).permutation(len(quiet))[:_DRAWN]]
        middles, low, high = _band(found)
        axes.fill_between(middles, low, high, color=BAND, linewidth=0)
        dots: dict[str, Any] = {"linestyle": "none", "clip_on": False}
        axes.plot(found.lengths[quiet], found.score[quiet], marker="o", markersize=2, color=SOFT, alpha=0.45, **dots)
        axes.axhline(found.threshold, color=INK, linewidth=1.5, linestyle=(0, (6, 3)))
        edge: dict[str, Any] = {"markeredgecolor": CARD, "markeredgewidth": 0.8}
        for rows, marker, colour in (
            (found.flagged & ~found.twin, "^", FLAGGED),
            (found.twin, "s", TWIN),
        ):
            axes.plot(found.lengths[rows], found.score[rows], marker=marker, markersize=7, color=colour, **dots, **edge)
        longest = found.lengths.max(initial=10)
        ticks = [n * 10**power for power in range(7) for n in (1, 2, 5)]
        shortest = int(found.lengths[found.judged].min())
        axes.set_xticks([one for one in ticks if shortest <= one <= longest])
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(lambda value, _: tick(value))
        axes.set_xlim(shortest * 0.9, longest * 1.1)
        axes.grid(axis="y")
        name_axes(axes, "items in the history", "score: how much stranger than people with as many items")
        return svg(axes, "plot-anomalies", "each history's score against its length, and the threshold")


def _band(found: Anomalies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(lengths, low, high): quantiles of the score of people about as long, in equal parts of everybody."""
    judged = np.flatnonzero(found.judged)
    ordered = judged[np.argsort(found.lengths[judged], kind="stable")]
    parts = np.array_split(ordered, min(_BINS, max(1, len(ordered) // 20)))
    middles = np.array([np.median(found.lengths[part]) for part in parts])
    low, high = np.array([np.quantile(found.score[part], _BAND) for part in parts]).T
    ends = [found.lengths[ordered[0]]], [found.lengths[ordered[-1]]]
    pad = (low[:1], low[-1:]), (high[:1], high[-1:])
    return (
        np.concatenate([ends[0], middles, ends[1]]),
        np.concatenate([pad[0][0], low, pad[0][1]]),
        np.concatenate([pad[1][0], high, pad[1][1]]),
    )
