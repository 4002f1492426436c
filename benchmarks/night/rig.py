"""A rig for nights: a home filled with part of a log, and nights run in it as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import migrations
from api.settings import Settings
from benchmarks.process import ROOT
from data import readers, sample
from data.store import Store
from recsys.interactions import NO_TIME, Interactions
from recsys.night.lock import NightLock
from recsys.serving.registry import ModelRegistry

# An autoencoder that is trained in a second or two, and still has both of its paths.
SMALL = {
    "RECSYS_MODELS__AUTOENCODER__LAYERS": "[64]",
    "RECSYS_MODELS__AUTOENCODER__BOTTLENECK": "32",
    "RECSYS_MODELS__AUTOENCODER__EPOCHS": "4",
    "RECSYS_MODELS__AUTOENCODER__LINEAR": '[{"kind": "closed-form", "l2": 100.0, "weight": 1.0}]',
    "RECSYS_MODELS__AUTOENCODER__BLEND": '{"share": 0.5, "temperature": 1.0}',
    "RECSYS_MODELS__ALS__FACTORS": "16",
    "RECSYS_NIGHTLY__TOP_N": "10",
    "RECSYS_NIGHTLY__NICE": "0",
    "RECSYS_NIGHTLY__ACTIVE_DAYS": "10",
}
COMMAND = (sys.executable, "-m", "api.cli", "nightly")


@dataclass(frozen=True)
class Rig:
    """A home. environ: settings, as variables, of every night in it."""

    folder: Path
    environ: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        return Settings.load(environ={**self.environ, "RECSYS_HOME": str(self.folder)})

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.settings.registry_folder)

    @property
    def lock(self) -> NightLock:
        return NightLock(self.settings.night_folder)

    def store(self) -> Store:
        return Store.open(self.settings.url)

    def start(self, *arguments: str, command: Sequence[str] = COMMAND) -> subprocess.Popen[str]:
        """A night as a process of its own; what it says can be read from it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
        environ = {**own, **self.environ, "RECSYS_HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [*command, *arguments],
            env=environ,
            cwd=self.folder,  # no settings file of the caller's
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, command: Sequence[str] = COMMAND) -> tuple[int, str]:
        """(exit status, all that it said) of one night."""
        with self.start(*arguments, command=command) as process:
            said = process.communicate()[0]
        return process.returncode, said


def sample_events() -> Interactions:
    """The sample's events in the order of time."""
    folder = sample.folder()
    [*batches] = readers.read(folder)
    parts = [batch.interactions for batch in batches]
    found = Interactions.from_lists(
        np.concatenate([part.user.decode() for part in parts]).tolist(),
        np.concatenate([part.item.decode() for part in parts]).tolist(),
        np.concatenate([part.event.decode() for part in parts]).tolist(),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.time for part in parts]),
    )
    return by_time(found)


def by_time(events: Interactions) -> Interactions:
    """The same, those without a time first."""
    when = np.where(events.time == NO_TIME, np.iinfo(np.int64).min, events.time)
    return events.take(np.argsort(when, kind="stable"))


def slice_of(events: Interactions, start: float, end: float) -> Interactions:
    """The rows between two shares of all."""
    return events.take(np.arange(round(start * len(events)), round(end * len(events))))


def make_rig(folder: Path, events: Interactions, **environ: str) -> Rig:
    """A new home that holds these events and no model."""
    folder.mkdir(parents=True)
    rig = Rig(folder, environ)
    with Store.open(rig.settings.url, create=True) as store:
        migrations.upgrade(store.engine)
        store.add(events)
    return rig
