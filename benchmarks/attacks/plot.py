"""The drill as a picture: how often the targets are offered, where they stand, and how many profiles are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_COLOURS = {"autoencoder": "#0063a3", "als": "#b84400"}
_MARKS = {"autoencoder": "o", "als": "s"}
_SHADES = ("#8fb8d8", "#3f86bd", "#0b3c66", "#000000")
_STYLES = (":", "--", "-", "-.")


def draw(result: Mapping[str, Any], file: Path) -> None:
    """One column an attack. The file's ending says the format."""
    kinds = list(dict.fromkeys(one["kind"] for one in result["attacks"]))
    with matplotlib.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(3.4 * len(kinds), 9.6), layout="constrained")
        axes = figure.subplots(3, len(kinds), squeeze=False, sharey="row")
        for column, kind in enumerate(kinds):
            attacks = [one for one in result["attacks"] if one["kind"] == kind]
            _hits(axes[0][column], attacks, result)
            _places(axes[1][column], attacks, result)
            _curves(axes[2][column], attacks, result)
            axes[0][column].set_title(kind, fontweight="bold")
        axes[0][0].set_ylabel("hit rate@20 of the targets")
        axes[1][0].set_ylabel("median place of the targets")
        axes[1][0].invert_yaxis()
        axes[2][0].set_ylabel("profiles found")
        axes[0][0].legend(frameon=False, fontsize=10)
        axes[2][-1].legend(frameon=False, fontsize=10, title="profiles", loc="upper left")
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)


def _hits(axes: Axes, attacks: list[Any], result: Mapping[str, Any]) -> None:
    shares = [0.0, *(100 * one["share"] for one in attacks)]
    for name in result["models"]:
        points = [result["before"]["hits"][name], *(one["hits"][name] for one in attacks)]
        means = [point["mean"] for point in points]
        reach = [
            [mean - point["low"] for mean, point in zip(means, points, strict=True)],
            [point["high"] - mean for mean, point in zip(means, points, strict=True)],
        ]
        axes.errorbar(shares, means, reach, color=_COLOURS[name], marker=_MARKS[name], label=name, capsize=2)
    axes.set_xlabel("profiles, % of people")
    axes.grid(axis="y", color="#e0e0e0")


def _places(axes: Axes, attacks: list[Any], result: Mapping[str, Any]) -> None:
    shares = [0.0, *(100 * one["share"] for one in attacks)]
    for name in result["models"]:
        places = [result["before"]["hits"][name]["place"], *(one["hits"][name]["place"] for one in attacks)]
        axes.plot(shares, places, color=_COLOURS[name], marker=_MARKS[name], label=name)
    axes.set_xlabel("profiles, % of people")
    axes.grid(axis="y", color="#e0e0e0")


def _curves(axes: Axes, attacks: list[Any], result: Mapping[str, Any]) -> None:
    for number, one in enumerate(attacks):
        curve = one["detectors"]["crossed"]["curve"]
        style = {"color": _SHADES[number % 4], "linestyle": _STYLES[number % 4], "label": f"{one['share']:.1%}"}
        axes.plot(curve["false_alarms"][1:], curve["recall"][1:], **style)
    axes.axvline(result["false_alarms"], color="#8a5300", linewidth=1)
    axes.text(result["false_alarms"] * 1.1, 0.02, "stated rate", color="#8a5300", fontsize=9)
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("false alarms, share of genuine people")
    axes.grid(color="#e0e0e0")
