"""A sheet to draw on, and its SVG for a page: theme colours, text as text, ids of its own, nothing from outside.

A plot is drawn in sentinel colours (#fa....) that no style uses; in the SVG each becomes a CSS variable, so that the
page's light and dark themes colour every plot. One unit of a figure is one CSS pixel at the plot's own width.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import IdentityTransform

from recsys.reports.plots.numbers import plain, tick

WIDTH = 480  # CSS pixels
TEXT = 14  # CSS pixels: still 11 where a phone shows the plot at 370 wide
LETTER = 8.0  # CSS pixels of a letter of such text, about
INK, SOFT, LINE, CARD, BAND = "#fa0000", "#fa0001", "#fa0002", "#fa0003", "#fa0004"
_NAMES = {INK: "ink", SOFT: "soft", LINE: "line", CARD: "ground", BAND: "band"}
MODELS, CATEGORIES = 8, 8  # colours there are for each
_STYLE: dict[Any, Any] = {
    "font.size": TEXT,
    "font.family": ["DejaVu Sans"],
    "text.color": INK,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": LINE,
    "grid.linewidth": 1,
    "lines.linewidth": 2,
    "figure.dpi": 72,
    "svg.fonttype": "none",
    "path.simplify": False,
}


def model_colour(number: int) -> str:
    return f"#fa01{number % MODELS:02x}"


def category_colour(number: int) -> str:
    return f"#fa02{number % CATEGORIES:02x}"


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Everything of a plot happens in here: its style, whatever matplotlib is set to outside.

    Letters that matplotlib's own font lacks are no matter: the page's font draws them.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support .* natively")
        yield


def sheet(height: float, *, left: float = 44, right: float = 16, top: float = 30, bottom: float = 44) -> Axes:
    """Axes on a transparent figure WIDTH by height, the margins in CSS pixels."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
    )
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for artist in (axes.spines["bottom"], axes.xaxis, axes.yaxis):
        artist.set_clip_on(False)
    axes.xaxis.set_major_formatter(lambda value, _: tick(value))
    axes.yaxis.set_major_formatter(lambda value, _: tick(value))
    return axes


def name_axes(axes: Axes, x: str, y: str = "") -> None:
    """x's name below, in the middle; y's name above at the left, so that nobody turns the head."""
    box = axes.get_window_extent()
    if x:
        write(axes, (box.x0 + box.x1) / 2, 8, x, ha="center", color=SOFT)
    if y:
        write(axes, 2, box.y1 + 14, y, color=SOFT)


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text at CSS pixels from the lower left of the figure."""
    axes.text(x, y, plain(text), transform=IdentityTransform(), **style)


def svg(axes: Axes, name: str, title: str) -> str:
    """The figure as <svg>, to stand in a page among others. name: of this plot alone; title: what it shows."""
    figure = cast(Figure, axes.figure)
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    body = out.getvalue()
    body = body[body.index("</defs>") + len("</defs>") :]  # the first holds only matplotlib's own style
    body = re.sub(r"<defs>\s*<clipPath.*?</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0], name), body)  # never what is written between tags
    body = re.sub(r">\s*\n\s*<", ">\n<", body)
    height = round(figure.get_figheight() * 72)
    label = escape(plain(title), quote=True)
    return (
        f'<svg class="plot" role="img" id="{name}" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' aria-label="{label}"><title>{label}</title>{body.strip()}'
    )


def _tag(tag: str, name: str) -> str:
    """One tag of matplotlib's, for a page: no clipping, its font from the page, ids that no other plot has."""
    tag = re.sub(r' clip-path="[^"]*"| transform="rotate\(-0 [^"]*"', "", tag)
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    tag = tag.replace(' id="part:', ' data-part="')
    tag = re.sub(r'^<g id="[^"]*"', "<g", tag)
    tag = re.sub(r' id="(m[0-9a-f]+)"', rf' id="{name}-\1"', tag)
    tag = re.sub(r' xlink:href="#(m[0-9a-f]+)"', rf' href="#{name}-\1"', tag)
    tag = re.sub(r"(?<=[ \"])(-?\d+\.\d\d)\d+", r"\1", tag)
    return re.sub(r"\s*\n\s*", " ", re.sub(r"#fa0[0-9a-f]{3}", _variable, tag))


def _variable(found: re.Match[str]) -> str:
    colour = found[0]
    if colour in _NAMES:
        return f"var(--{_NAMES[colour]})"
    return f"var(--{'m' if colour[4] == '1' else 'c'}{int(colour[5:], 16)})"
