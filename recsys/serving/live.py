"""LiveModels: the release in memory; a new one is loaded beside the old, then taken in one step."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recsys.errors import DamagedBundle, NoModel
from recsys.serving.bundle import ModelBundle
from recsys.serving.registry import ModelRegistry, Stamp
from recsys.serving.releases import Release
from recsys.serving.versions import parts_of

RETRY_SECONDS = 5.0

logger = logging.getLogger("recsys.serving")


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One release, loaded: every answer is made from one snapshot. bundles: version -> bundle."""

    stamp: Stamp | None
    release: Release
    bundles: Mapping[str, ModelBundle]


class LiveModels:
    """Notices a new release by the pointer's stamp: one system call a request, or none while a thread watches it.

    A release that cannot be loaded leaves the old one serving; ``health`` says so, and it is tried again every
    RETRY_SECONDS. The release before the one that serves is kept, so that going back to it loads nothing.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._snapshot: Snapshot | None = None
        self._before: Snapshot | None = None
        self._refused: tuple[Stamp | None, str, float] | None = None  # stamp, why, when to try again
        self._loading = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._stopped = threading.Event()

    def watch(self, seconds: float = 0.2) -> None:
        """Look for a new release every so often and load it in the background, so that no request waits for it.

        Call it in the process that answers: a thread does not survive a fork. Until a release is held, requests load.
        """
        self.stop()
        self._stopped = threading.Event()
        self._watcher = threading.Thread(
            target=self._watch, args=(seconds, self._stopped), name="releases", daemon=True
        )
        self._watcher.start()

    def stop(self) -> None:
        """End watching; from now on requests look for themselves. Returns when a load under way is done."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            self._stopped.set()
            watcher.join()

    def snapshot(self) -> Snapshot:
        """The release to answer from. NoModel or DamagedBundle only while there never was one."""
        held = self._snapshot
        if held is not None and self._watcher is not None and self._watcher.is_alive():
            return held
        return self._looked()

    def _watch(self, seconds: float, stopped: threading.Event) -> None:
        while not stopped.is_set():
            with suppress(NoModel, DamagedBundle):  # nothing to serve yet: a request says so
                self._looked()
            stopped.wait(seconds)

    def _looked(self) -> Snapshot:
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
        try:
            release = self._registry.live()
            if held is not None and release == held.release:  # the pointer says something else anew
                self._snapshot, self._refused = Snapshot(stamp, release, held.bundles), None
                return self._snapshot
            kept = {v: one.bundles[v] for one in (self._before, held) if one is not None for v in one.bundles}
            kept = {v: kept[v] for v in release.models.values() if v in kept}
            self._before = None  # freed before another is loaded
            bundles = {v: kept[v] if v in kept else self._registry.load(v) for v in release.models.values()}
        except (NoModel, DamagedBundle) as error:
            if held is None:
                raise
            why, before = f"the newest release was refused: {error.what}", self._refused
            if before is None or before[:2] != (stamp, why):  # once, however often it is tried
                logger.warning("%s (%s)", why, error.where)  # where: nobody's business but of who runs it
            self._refused = (stamp, why, time.monotonic() + RETRY_SECONDS)
            return held
        for bundle in bundles.values():
            _ = (bundle.lengths, bundle.items.by_id)  # made now, not in somebody's request
        found = Snapshot(stamp, release, bundles)
        self._snapshot, self._before, self._refused = found, held, None
        return found


def _facts(version: str, bundle: ModelBundle) -> dict[str, Any]:
    created = parts_of(version)[0]
    age = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
    return {"version": version, "created": created, "age_seconds": age, "items": len(bundle.items)}
