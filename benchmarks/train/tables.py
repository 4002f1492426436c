"""What `recsys bench train` shows a person: its measurements as tables of ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.train.split import METRIC

BAR_SHARE, BAR_TIMES = 0.6, 5.0

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def tables(result: Mapping[str, Any]) -> list[Table]:
    """What a person reads: (title, header, rows) a table."""
    step, quality = result["step"], result["quality"]
    shown = [_step(step), _quality(quality)]
    if step["kinds"]:
        shown.append(("share of time", ("operations", "share"), [(k, f"{v:.1%}") for k, v in step["kinds"].items()]))
    if result["times"]:
        rows = [
            (label, peer, f"{times:.1f}" if times else "never passed", f"{BAR_TIMES:.0f}")
            for label, by_peer in result["times"].items()
            for peer, times in by_peer.items()
        ]
        shown.append(("a peer's seconds to its best / ours to pass it", ("ours", "peer", "times", "bar"), rows))
    return shown


def _step(step: Mapping[str, Any]) -> Table:
    """Rates in billions of floating-point operations a second: two a multiply-add."""
    rows = [
        (f"{dtype}: decoder's {kind} product", f"{2e-9 * rate:,.0f}", f"{step['step'] / rate:.2f}")
        for dtype, rates in step["products"].items()
        for kind, rate in rates.items()
    ]
    rows.append(("training step", f"{2e-9 * step['step']:,.0f}", f"{step['share']:.2f} (aim {BAR_SHARE})"))
    device, memory = step["device"], f"{step['memory'] / 1e9:.2f} GB"
    threads = f", {step['threads']} threads" if device == "cpu" else ""
    if step["cuda_memory"]:
        memory += f", {step['cuda_memory'] / 1e9:.2f} on the GPU"
    rate = f"{median(step['epoch_seconds']):.2f} s an epoch, {step['users_a_second']:,.0f} users a second"
    title = f"{device}{threads}: {step['users']:,} users x {step['items']:,} items, {rate}, peak {memory}"
    shape = f"{step['batch']} x {step['width']} x {step['items']}"
    return title, (f"products of {shape}", "GFLOP/s", "step / it"), rows


def _quality(quality: Mapping[str, Mapping[str, Any]]) -> Table:
    heights = [(name, value) for name, value, _ in next(iter(quality.values()))["passes"]]
    header = ["", "s/epoch", "validation", "test", "fit s", "peak GB", *(f"s to {v:.3f}" for _, v in heights)]
    rows = []
    for name, found in quality.items():
        clock = [seconds for seconds, _ in found["curve"]]
        each = found.get("epoch_seconds") or [b - a for a, b in pairwise(clock)]
        fit = found["seconds"] if "seconds" in found else clock[-1]
        passed = [f"{seconds:.1f}" if seconds else "-" for _, _, seconds in found["passes"]]
        rows.append(
            (
                name,
                f"{median(each):.2f}" if each else "",
                f"{found['validation']:.4f}",
                f"{found['test']:.4f}",
                f"{fit:.0f}",
                f"{found['peak'] / 1e9:.2f}",
                *passed,
            )
        )
    names = "; ".join(f"{value:.3f} {name}" for name, value in heights)
    return f"{METRIC} on the validation users, at the best epoch on the test users; heights: {names}", header, rows
