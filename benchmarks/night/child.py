"""A night as `recsys nightly` runs it, but that it checkpoints after every step of a fit, and that nearly anything that
beats popularity may go live: so there is something to publish.

    RECSYS_HOME=... python -m benchmarks.night.child
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from api.night import StoreWorld, plan_of
from api.settings import Settings
from data.store import Store
from recsys.gate.rules import Rules
from recsys.night.lock import NightLock
from recsys.night.run import run_night
from recsys.recommender import Progress
from recsys.serving.registry import ModelRegistry

LAX = Rules(margin=0.9, alpha=0.9, coverage=0.9, popularity_lift=9.0, cold=0.9, tail=0.9, latency=100.0, size=100.0)


def main() -> int:
    settings = Settings.load()
    plan = replace(plan_of(settings), checkpoint_seconds=0.0, rules=LAX)
    with Store.open(settings.url) as store:
        world = StoreWorld(settings, store, _quiet)
        lock, registry = NightLock(settings.night_folder), ModelRegistry(settings.registry_folder)
        return run_night(plan, world, registry, settings.night_folder, _say, lock).exit_status


def _quiet(model: str) -> Callable[[Progress], None]:
    return lambda progress: None


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
