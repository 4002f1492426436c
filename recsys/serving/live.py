"""LiveModels: the release in memory; a new one is loaded beside the old, then taken in one step."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recsys.errors import DamagedBundle, NoModel
from recsys.serving.bundle import ModelBundle
from recsys.serving.registry import ModelRegistry, Release, Stamp, parts_of

RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One release, loaded: every answer is made from one snapshot. bundles: version -> bundle."""

    stamp: Stamp | None
    release: Release
    bundles: Mapping[str, ModelBundle]


class LiveModels:
    """Notices a new release by the pointer's stamp, one system call a request.

    A release that cannot be loaded leaves the old one serving; ``health`` says so, and it is tried again every
    RETRY_SECONDS.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._snapshot: Snapshot | None = None
        self._refused: tuple[Stamp | None, str, float] | None = None  # stamp, why, when to try again
        self._loading = threading.Lock()

    def snapshot(self) -> Snapshot:
        """The release to answer from. NoModel or DamagedBundle only while there never was one."""
        held, stamp = self._snapshot, self._registry.stamp()
        if held is not None and held.stamp == stamp:
            return held
        if held is not None and self._waits(stamp):
            return held
        # Who has something to serve does not wait for another thread that is already loading.
        if not self._loading.acquire(blocking=held is None) and held is not None:
            return held
        try:
            return self._refresh()
        finally:
            self._loading.release()

    def health(self) -> dict[str, Any]:
        """ready, fault (None or words), default and models: name -> version, created, age in seconds, items."""
        fault: str | None = None
        try:
            held: Snapshot | None = self.snapshot()
        except (NoModel, DamagedBundle) as error:
            held, fault = self._snapshot, error.what
        if self._refused is not None:
            fault = self._refused[1]
        if held is None:
            return {"ready": False, "fault": fault, "default": None, "models": {}}
        models = {name: _facts(version, held.bundles[version]) for name, version in held.release.models.items()}
        return {"ready": True, "fault": fault, "default": held.release.default, "models": models}

    def _waits(self, stamp: Stamp | None) -> bool:
        refused = self._refused
        return refused is not None and refused[0] == stamp and time.monotonic() < refused[2]

    def _refresh(self) -> Snapshot:
        held = self._snapshot
        stamp = self._registry.stamp()  # before the pointer is read: a swap in between is noticed next time
        if held is not None and (held.stamp == stamp or self._waits(stamp)):
            return held
        kept = held.bundles if held is not None else {}
        try:
            release = self._registry.live()
            bundles = {v: kept[v] if v in kept else self._registry.load(v) for v in release.models.values()}
        except (NoModel, DamagedBundle) as error:
            if held is None:
                raise
            why = f"the newest release was refused: {error.what} ({error.where})"
            self._refused = (stamp, why, time.monotonic() + RETRY_SECONDS)
            return held
        for bundle in bundles.values():
            _ = (bundle.unit_vectors, bundle.items.by_id)  # made now, not in somebody's request
        self._snapshot, self._refused = Snapshot(stamp, release, bundles), None
        return self._snapshot


def _facts(version: str, bundle: ModelBundle) -> dict[str, Any]:
    created = parts_of(version)[0]
    age = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
    return {"version": version, "created": created, "age_seconds": age, "items": len(bundle.items)}
