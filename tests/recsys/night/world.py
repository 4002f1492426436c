"""A small world for nights: people of two tastes in memory, and a ledger that can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.night.checks import Reading
from recsys.night.journal import Journal
from recsys.night.lock import NightLock
from recsys.night.material import Material
from recsys.night.plan import Plan
from recsys.night.run import Outcome, run_night
from recsys.recommender import Progress
from recsys.serving.registry import ModelRegistry

PEOPLE, ITEMS = 600, 60
START = 1_700_000_000_000_000


def history(people: int = PEOPLE, seed: int = 0) -> Interactions:
    """Everybody takes 12 items, nearly all of one half of the catalogue: even people of the first, odd the second."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for number in range(people):
        mine = rng.permutation(ITEMS // 2)[:11] + (number % 2) * ITEMS // 2
        for k, item in enumerate([*mine, (mine[0] + ITEMS // 2) % ITEMS]):
            users.append(f"person-{number:04d}")
            items.append(f"item-{item:03d}")
            times.append(START + number * 100_000_000 + k * 1_000_000)
    return Interactions.from_lists(users, items, times=times)


def without(interactions: Interactions, *people: str) -> Interactions:
    kept = interactions.take(~np.isin(interactions.user.decode().astype(str), people))
    return Interactions.from_lists(kept.user.decode().tolist(), kept.item.decode().tolist(), times=kept.time)


class Kill(BaseException):
    """What ends a night here as a kill would: nothing in the program catches it."""


@dataclass
class MemoryLedger:
    """As `recsys.night.plan.Ledger`, one verdict a night and model."""

    nights: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return list(self.kept.values())

    def begin(self, token: int, resume: int | None = None) -> int:
        if resume is not None:
            self.nights[resume - 1] |= {"token": token, "status": "running"}
            return resume
        self.nights.append({"token": token, "status": "running"})
        return len(self.nights)

    def step(self, night: int, name: str, status: str, seconds: float = 0.0, detail: str = "") -> None:
        self.steps.append((name, status))

    def end(self, night: int, status: str, decision: str | None, reason: str, facts: Mapping[str, Any]) -> None:
        self.nights[night - 1] |= {"status": status, "decision": decision, "reason": reason, "facts": facts}

    def verdict(
        self,
        night: int,
        model: str,
        champion: str | None,
        challenger: str | None,
        decision: str,
        reason: str,
        figures: Any,
        level: float,
    ) -> None:
        self.kept[night, model] = {"model": model, "decision": decision, "reason": reason, "level": level}

    def spent(self, model: str, since: int) -> float:
        return sum(one["level"] for one in self.verdicts if one["model"] == model)


class Killer:
    """Kills a night at its n-th write (from 0), of ledger, journal or registry, before it or after it.

    ``writes`` counts them; ``struck`` names the one that was hit.
    """

    def __init__(self, patch: pytest.MonkeyPatch, world: MemoryWorld, at: int | None, after: bool = False) -> None:
        self.at, self.after, self.writes = at, after, 0
        self.struck: str | None = None
        places = {
            MemoryLedger: ("begin", "step", "verdict", "end"),
            Journal: ("began", "ended", "note", "clear"),
            Material: ("save",),
            ModelRegistry: ("add", "go_live", "write_verdict", "prune", "next_fence"),
        }
        for owner, names in places.items():
            for name in names:
                patch.setattr(owner, name, self._deadly(getattr(owner, name), f"{owner.__name__}.{name}"))

    def _deadly(self, write: Any, name: str) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            mine = self.struck is None and self.writes == self.at
            self.writes += 1
            if mine and not self.after:
                self.struck = name
                raise Kill(name)
            found = write(*arguments, **options)
            if mine:
                self.struck = name
                raise Kill(name)
            return found

        return wrapped


class MemoryWorld:
    """As `recsys.night.plan.World`; on_read and on_watch are called at those moments, to let something go wrong."""

    def __init__(self, folder: Path, interactions: Interactions | None = None) -> None:
        self.folder = folder
        self.interactions = history() if interactions is None else interactions
        self.ledger = MemoryLedger()
        self.left = 0
        self.told: list[Mapping[str, Any]] = []
        self.reported: list[Mapping[str, Any]] = []
        self.lines: list[str] = []
        self.on_read: Callable[[], None] = lambda: None
        self.on_fit: Callable[[str], None] = lambda model: None

    def read(self) -> Reading:
        self.on_read()
        return Reading(self.interactions, 0, self.left)

    def earlier(self, n: int) -> Sequence[Mapping[str, Any]]:
        done = [night["facts"]["data"] for night in self.ledger.nights if night["status"] == "done"]
        return done[::-1][:n]

    def forgotten(self) -> int:
        return self.left

    def lists(self, beat: Callable[[], None]) -> dict[str, Any]:
        beat()
        return {"people": 0, "churn": {"text": "nobody had a list before"}}

    def report(self, night: Mapping[str, Any]) -> Path:
        self.reported.append(night)
        return self.folder / "report"

    def notify(self, night: Mapping[str, Any]) -> str:
        self.told.append(night)
        return "told"

    def watch(self, model: str) -> Callable[[Progress], None]:
        self.on_fit(model)
        return lambda progress: None

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.folder / "models")

    def night(self, lock: NightLock | None = None, **changes: Any) -> Outcome:
        """One night with a model that is trained in a moment."""
        plan = Plan(**{"models": {"ease": {}}, "weights": FeedbackWeights(), "device": "cpu", **changes})
        lock = lock or NightLock(self.folder / "night")
        return run_night(plan, self, self.registry, self.folder / "night", self.lines.append, lock)

    def live(self) -> dict[str, str]:
        return dict(self.registry.live().models)
