"""Benchmark: a log replayed in its own order, a slice a night; then what is live beside one training on everything.

    python -m benchmarks.night.replay --interactions ml-1m/ratings.csv [--nights 10] [--first 0.55] [--models a,b]
        [--folder DIR]

A slice is the same share of everybody's own history, for times are often known only within one. Every night is `recsys
nightly` as a process of its own, in one home, which is kept where --folder says. At the end each model is trained once
on everything the store holds, as `recsys train` does, and judged with the live one on the people neither learnt from.
Status 1 where a night fails, or a live model is shown to be worse than that by more than the margin.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from api.night import plan_of
from benchmarks.night.rig import Rig, make_rig, slice_of
from data import readers
from data.nights import NightRecord
from data.store import Store
from recsys.candidate import train_candidate
from recsys.gate.judge import judge
from recsys.gate.trial import Trial
from recsys.interactions import Interactions
from recsys.night.material import Material
from recsys.recommender import FitOptions
from recsys.serving.versions import parts_of


def main(interactions: Path, nights: int, first: float, models: str, folder: Path) -> bool:
    events = in_step(read(interactions))
    rig = make_rig(folder / "home", slice_of(events, 0, first), RECSYS_NIGHTLY__MODELS=models, RECSYS_NIGHTLY__NICE="0")
    step, well = (1 - first) / (nights - 1), True
    print(f"{'night':<7}{'events':>10}{'seconds':>9}  model        decision      champion, challenger, change")
    for night in range(nights):
        if night:
            with rig.store() as store:
                store.add(slice_of(events, first + step * (night - 1), first + step * night))
        _, said = rig.run()
        with rig.store() as store:
            [record] = store.nights.recent(1)
        _tell(record)
        if record.status != "done":
            print(said)
            well = False
    return _once(rig) and well


def read(file: Path) -> Interactions:
    """Everything in a file, as the store gives it back."""
    with tempfile.TemporaryDirectory() as place:
        rig = make_rig(Path(place, "home"), Interactions.empty())
        with rig.store() as store:
            store.import_batches(str(file), readers.read(file))
            return store.interactions()


def in_step(events: Interactions) -> Interactions:
    """Everybody's history at the same pace: by the share of it that lies before each event."""
    order = np.lexsort((events.time, events.user.codes))
    counts = np.bincount(events.user.codes)
    place = np.empty(len(events))
    place[order] = np.arange(len(events)) - np.repeat(np.cumsum(counts) - counts, counts)
    return events.take(np.argsort(place / counts[events.user.codes], kind="stable"))


def _tell(record: NightRecord) -> None:
    """A line a model."""
    seconds = 0.0 if record.ended is None else (record.ended - record.started) / 1e6
    start = f"{record.id:<7}{(record.facts.get('data') or {}).get('events', 0):>10,}{seconds:>9.0f}"
    for verdict in record.verdicts:
        figures = verdict.figures.get("figures") or [{}]
        main = next((one for one in figures if one.get("unit") == "relative"), {})
        known = f"{main['champion']:.4f} {main['challenger']:.4f} {main['change']:+.1%}" if main else ""
        print(f"{start}  {verdict.model:<13}{verdict.decision:<14}{known or verdict.reason}", flush=True)
        start = " " * 26
    if not record.verdicts:
        print(f"{start}  {record.status}: {record.reason}", flush=True)


def _once(rig: Rig) -> bool:
    """The live models beside one training on everything, on the people neither learnt from."""
    settings, well = rig.settings, True
    plan = plan_of(settings)
    with Store.open(settings.url) as store:
        material = Material.of(store.interactions(), settings.weights, share=settings.panel_share)
    assert material.panel is not None
    trial = Trial.of(material.learnt, material.panel, settings.seed)
    for name, version in rig.registry.live().models.items():
        live = rig.registry.load(version)
        options = FitOptions(device=settings.device, seed=settings.seed)
        once = train_candidate(name, dict(plan.models[name]), material.learnt, options, material.card())
        verdict = judge(live, once, trial, plan.rules, level=0.025)
        said = f"live of {parts_of(version)[0]}, beside one training on everything: {verdict.reason}"
        print(f"{name}: {said}", flush=True)
        well &= verdict.decision in ("promote", "inconclusive")
    return well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--first", type=float, default=0.55)
    parser.add_argument("--models", default="autoencoder,als")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = asked.folder or Path(place)
        sys.exit(not main(asked.interactions, asked.nights, asked.first, asked.models, folder))
