"""Roster: each model's colour, marker, line and short name, the same in every plot of a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from recsys.reports.plots.numbers import plain
from recsys.reports.plots.sheet import CARD, MODELS, model_colour

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.6)), (0, (6, 2, 1.5, 2)), (0, (9, 3)))
_SIZES = {"o": 7.0, "s": 6.5, "D": 6.0, "^": 7.5, "v": 7.5, "P": 8.0, "X": 8.0}
_GLYPHS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖"}
_ENDS = ":-_/ ,"


@dataclass(frozen=True, slots=True)
class Mark:
    """How one model is drawn. lines: its name in at most two short lines; number: its place in the report."""

    number: int
    name: str
    lines: tuple[str, ...]

    @property
    def colour(self) -> str:
        return model_colour(self.number)

    @property
    def marker(self) -> str:
        return _MARKERS[self.number % len(_MARKERS)]

    @property
    def glyph(self) -> str:
        """The marker as a character, for a page's text."""
        return _GLYPHS[self.marker]

    @property
    def variable(self) -> str:
        """The colour's CSS variable."""
        return f"--m{self.number % MODELS}"

    def points(self, **more: Any) -> dict[str, Any]:
        """Keywords of a matplotlib line that draws the points."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markersize": _SIZES[self.marker],
            "markeredgecolor": CARD,
            "markeredgewidth": 1,
            "linestyle": "none",
            "clip_on": False,
            **more,
        }

    def line(self, **more: Any) -> dict[str, Any]:
        """Keywords of a matplotlib line that joins the points."""
        return self.points(linestyle=_LINES[self.number % len(_LINES)], **more)


def roster(models: Iterable[str]) -> dict[str, Mark]:
    """name -> Mark, in the report's order."""
    found: dict[str, Mark] = {}
    taken: set[tuple[str, ...]] = set()
    for number, name in enumerate(models):
        lines = two_lines(name)
        if lines in taken:  # cut to the same: told apart by their place
            lines = (f"{number + 1}. {lines[0]}", *lines[1:])
        taken.add(lines)
        found[name] = Mark(number, name, lines)
    return found


def two_lines(text: str, width: int = 17) -> tuple[str, ...]:
    """text on at most two lines of width characters, broken where a part of it ends, its middle left out if need be."""
    text = plain(text)
    if len(text) <= width:
        return (text,)
    cut = max((place + 1 for place in range(width) if text[place] in _ENDS), default=width)
    first, rest = text[:cut].strip(), text[cut:].strip()
    return (first, one_line(rest, width)) if first else (one_line(rest, width),)


def one_line(text: str, width: int) -> str:
    """text in at most width characters, its middle left out if need be."""
    text = plain(text)
    if len(text) <= width:
        return text
    return f"{text[: (width - 1) // 2]}…{text[len(text) - width // 2 :]}"
