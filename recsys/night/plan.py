"""Plan: what a night is to do; World: what it needs of the world around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from recsys import __version__
from recsys.feedback import FeedbackWeights
from recsys.gate.rules import Rules
from recsys.night.checks import Reading
from recsys.recommender import Progress

Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Plan:
    """models: name -> settings, those to retrain. keep: old versions kept of each. share: of the people, for the panel.

    dry_run: train and judge, then change nothing. accept_data: go on where the data fail their checks. fresh_hours: how
    long after it began a night that was cut off is gone on with; after that a new one begins.
    """

    models: Mapping[str, Mapping[str, Any]]
    weights: FeedbackWeights = field(default_factory=FeedbackWeights)
    min_user: int = 1
    min_item: int = 1
    share: float = 0.1
    seed: int = 0
    device: str = "auto"
    rules: Rules = field(default_factory=Rules)
    keep: int = 7
    dry_run: bool = False
    accept_data: bool = False
    fresh_hours: float = 6.0
    checkpoint_seconds: float = 60.0

    def identity(self) -> dict[str, Any]:
        """What two nights must share for one to go on with the other's work, as JSON values."""
        how = {
            "models": {name: dict(settings) for name, settings in self.models.items()},
            "weights": asdict(self.weights),
            "min": [self.min_user, self.min_item],
            "share": self.share,
            "seed": self.seed,
            "device": self.device,
            "rules": asdict(self.rules),
            "dry_run": self.dry_run,
            "recsys": __version__,
        }
        found: dict[str, Any] = json.loads(json.dumps(how, default=str))
        return found


class Ledger(Protocol):
    """Where nights are written down for others to see; what it raises is a StoreError. As `data.nights.Nights`."""

    def begin(self, token: int, resume: int | None = None) -> int: ...
    def step(self, night: int, name: str, status: str, seconds: float = 0.0, detail: str = "") -> None: ...
    def end(self, night: int, status: str, decision: str | None, reason: str, facts: Mapping[str, Any]) -> None: ...
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
    ) -> None: ...
    def spent(self, model: str, since: int) -> float: ...


class World(Protocol):
    """read: everything there is, in one snapshot. earlier: what `recsys.night.checks.facts_of` said in the last n
    nights that came to an end, the latest first. forgotten: how many people were ever deleted. lists: write the top-N
    lists of active people by what is live now; plain values about them. report: write one; where it is. notify: tell
    those who want to know; what became of it. watch: shows the fit of one model.
    """

    ledger: Ledger

    def read(self) -> Reading: ...
    def earlier(self, n: int) -> Sequence[Mapping[str, Any]]: ...
    def forgotten(self) -> int: ...
    def lists(self, beat: Callable[[], None]) -> dict[str, Any]: ...
    def report(self, night: Mapping[str, Any]) -> Path: ...
    def notify(self, night: Mapping[str, Any]) -> str: ...
    def watch(self, model: str) -> Callable[[Progress], None]: ...
