"""Plot: one model's training loss, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.reports.plots.roster import Mark
from recsys.reports.plots.sheet import drawing, name_axes, sheet, svg


def loss(found: Mapping[str, Any], mark: Mark) -> str:
    """found: the report's curve of a model of which some steps have a loss."""
    steps = [step for step in found["steps"] if step.get("loss") is not None]
    with drawing(f"loss-{mark.number}"):
        axes = sheet(220, left=56, right=20)
        axes.plot([step["step"] for step in steps], [step["loss"] for step in steps], **mark.line(marker=""))
        axes.grid(axis="y")
        axes.locator_params(nbins=5)
        name_axes(axes, "training step", f"training loss of {mark.name}")
        return svg(axes, f"plot-loss-{mark.number}", f"Training loss of {mark.name} against the step")
