"""Benchmark: the autoencoder's training beside what the machine can do, and beside RecBole's and Cornac's.

    recsys bench train --interactions ratings.csv --min-value 4 --peers

In one run, each measurement in a process of its own, one after the other: the step's rate over the matrix rate; ours
and tuned ALS on the clock until they pass the heights; the peers with the same widths (600-200-600) on the same split.
Everybody is judged by our ndcg@100 on the same validation users, and at the best epoch on the test users. Ours pays
for the whole fit, choices and its own validation included; a peer only for its training epochs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.process import alone
from benchmarks.train.environment import peers_python
from benchmarks.train.peers import PEERS
from benchmarks.train.split import Parts

if TYPE_CHECKING:
    from recsys.evaluation.split import Split

OURS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "autoencoder": ("autoencoder", {}),
    "its deep path alone": ("autoencoder", {"linear": "none"}),
    "its deep path, 600-200-600": (
        "autoencoder",
        {"linear": "none", "layers": [600], "bottleneck": 200, "decoder_layers": [600]},
    ),
    "tuned als": ("als", {}),
}
HEIGHTS = {"Cornac VAECF": 0.402, "RecBole MultiDAE": 0.414, "tuned als": 0.439}  # seen on MovieLens 1M while planning
_PEER_EPOCHS, _PEER_PATIENCE = 300, 30
_TRIAL = 3  # epochs


def main(
    split: Split,
    home: Path,
    *,
    device: str = "auto",
    seed: int = 0,
    epochs: int = 8,
    kinds: bool = False,
    peers: bool = False,
    python: Path | None = None,
) -> dict[str, Any]:
    """Everything measured, as plain values: "step", "quality" by name, "times" our seconds into a peer's.

    home: where the peers' environment is kept. epochs: how many are timed for the step's rate. python: has the peers.
    """
    theirs = peers_python(home, python) if peers else None
    with tempfile.TemporaryDirectory() as folder:
        Parts.of(split).save(Path(folder))
        common = {"folder": folder, "device": device, "seed": seed}
        quiet = {"KINETO_LOG_LEVEL": "99"}
        step = alone(
            "benchmarks.train.step",
            {**common, "epochs": epochs, "settings": {"linear": "none"}, "kinds": kinds},
            environment=quiet,
        )
        quality = {
            label: alone("benchmarks.train.quality", {**common, "label": label, "name": name, "settings": settings})
            for label, (name, settings) in OURS.items()
        }
        if theirs is not None:
            common["device"] = "cpu" if step["device"] == "cpu" else "cuda"
            quality |= {name: _peer({**common, "name": name}, theirs) for name in PEERS}
    heights = [(f"{name}, seen", value) for name, value in HEIGHTS.items()]
    heights += [(f"{name}, here", quality[name]["validation"]) for name in ("tuned als", *PEERS) if name in quality]
    for found in quality.values():
        found["passes"] = [[name, value, passes(found, value)] for name, value in heights]
    return {"data": dict(split.data), "step": step, "quality": quality, "times": _times(quality)}


def _peer(arguments: Mapping[str, Any], python: Path) -> dict[str, Any]:
    """A peer to its end, its threads waiting in the way that was faster for it in a trial."""
    ways: list[dict[str, str]] = [{}, {"OMP_WAIT_POLICY": "PASSIVE"}]
    calm = {"PYTHONWARNINGS": "ignore"}

    def run(epochs: int, way: Mapping[str, str]) -> dict[str, Any]:
        limits = {"epochs": epochs, "patience": _PEER_PATIENCE}
        return alone("benchmarks.train.peers", {**arguments, **limits}, python=python, environment={**way, **calm})

    trials = [median(run(_TRIAL, way)["epoch_seconds"]) for way in ways]
    way = ways[trials.index(min(trials))]
    return {**run(_PEER_EPOCHS, way), "environment": way, "trials": trials}


def passes(found: Mapping[str, Any], height: float) -> float | None:
    """Seconds until the height was passed, on the way or with the finished model; None if it never was."""
    finished = [(found["seconds"], found["validation"])] if "seconds" in found else []
    return next((seconds for seconds, value in [*found["curve"], *finished] if value > height), None)


def _times(quality: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Ours -> peer -> the peer's seconds to its own best over our seconds to pass it."""
    found: dict[str, dict[str, float | None]] = {}
    for label, (name, _) in OURS.items():
        if name != "autoencoder":
            continue
        for peer in PEERS:
            if peer not in quality:
                continue
            best = max(value for _, value in quality[peer]["curve"])
            theirs = next(seconds for seconds, value in quality[peer]["curve"] if value == best)
            ours = passes(quality[label], best)
            found.setdefault(label, {})[peer] = theirs / ours if ours else None
    return found
