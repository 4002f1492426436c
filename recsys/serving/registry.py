"""ModelRegistry: every model version kept in a folder, and the one file that says which of them answer.

versions/<version>/     a bundle, and the verdict on it (`recsys.serving.kept`)
live.json               the live release and those before it, swapped in one step (`recsys.serving.releases`)
marks.json              versions that may have learnt from somebody who was forgotten (`recsys.serving.marks`)
fence                   the token of the night that may publish (`recsys.serving.fence`)
.lock                   held while anything is written
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from recsys.errors import Fenced, Forgotten, NoModel, RecsysError
from recsys.serving.bundle import ModelBundle
from recsys.serving.fence import raise_fence, read_fence
from recsys.serving.files import digest_of, manifest_of, replace_file, write_folder
from recsys.serving.kept import VERDICT, KeptVersions
from recsys.serving.locking import locked
from recsys.serving.marks import Marks, forgotten, held, newest_free
from recsys.serving.prune import clear, remove_folder, roster, surplus
from recsys.serving.releases import Hold, Release, Releases
from recsys.serving.versions import parts_of, time_now, version_now

POINTER = "live.json"
PATIENCE_SECONDS = 5.0

Stamp = tuple[int, int, int]


class ModelRegistry(KeptVersions):
    """Reads need no lock and always see a whole release; writes take the lock.

    patience: seconds that a write waits for another writer before it raises AlreadyRunning.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__(folder)
        self.patience = patience
        self.pointer = self.folder / POINTER

    def live(self) -> Release:
        """NoModel when nothing has been published, DamagedBundle when the pointer cannot be read."""
        return Releases.read(self.pointer).live

    def hold(self) -> Hold | None:
        """Set by a rollback: no night promotes anything until a person promotes, publishes or lifts it."""
        return self._releases().hold

    def rolled_back(self) -> frozenset[str]:
        """The digests (12 hex) of versions that a person rolled back and has not promoted since."""
        return frozenset(self._releases().rolled_back)

    def marks(self) -> dict[str, str]:
        """version -> since when (ISO time) it may not go live: it may have learnt from somebody forgotten since."""
        kept = set(self.versions())
        return {version: at for version, at in Marks.read(self.folder).since.items() if version in kept}

    def forgettings(self) -> int:
        """How often somebody was forgotten so far. Ask before reading what is trained on, and tell ``add``."""
        return Marks.read(self.folder).forgettings

    def stamp(self) -> Stamp | None:
        """Changes whenever the live release may have changed; one system call. None: no pointer, or none to be seen."""
        try:
            found = self.pointer.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def describe(self) -> list[dict[str, Any]]:
        """Of every version kept, newest first: what `recsys.serving.prune.roster` says of it. Opens no model."""
        return roster(self.versions(), self._releases(), self.marks(), self.verdict)

    def add(self, bundles: Sequence[ModelBundle], forgettings: int | None = None) -> list[str]:
        """Keep bundles without putting them live. Returns their versions.

        The same content is the same version: one that is kept already, whole and not marked, stays as it is, with the
        time at which it first came to be. forgettings: what that said before the data was read; if somebody has been
        forgotten since, what is new is marked from the start.
        """
        with self._lock():
            return [self._keep(bundle, forgettings) for bundle in bundles]

    def publish(self, bundles: Sequence[ModelBundle], default: str | None = None) -> list[str]:
        """Keep every bundle, read each back, then put all live in one step, as a person does. Returns their versions.

        Models of the release before that are not among the bundles stay live.
        """
        with self._lock():
            versions = [self._keep(bundle) for bundle in bundles]
            self._go_live(versions, default)
        return versions

    def promote(self, version: str) -> Release:
        """Put a kept version live for its model, as a person does."""
        return self.go_live([version])

    def go_live(
        self,
        versions: Sequence[str],
        *,
        fence: int | None = None,
        default: str | None = None,
        instead_of: Mapping[str, str | None] | None = None,
    ) -> Release:
        """Put kept versions live for their models, all in one step. They are loaded first: a damaged one is refused.

        Without a fence a person decides: the hold is lifted, and none of these counts as rolled back. With one a night
        does: Fenced when another token has been handed out since, RecsysError when a person has set a hold or rolled
        one of these back. Forgotten for a marked version, but for one that is live already. instead_of: model -> what
        must be live for it now (None: nothing); Moved where something else is.
        """
        with self._lock():
            self._releases().check_live(instead_of or {})
            return self._go_live(versions, default, fence)

    def rollback(self) -> Release:
        """Put the newest release before the live one back that brings no marked version back, and hold the nights.

        NoModel when there is none before. Forgotten when each would bring one back; the nights are held all the same.
        """
        with self._lock():
            releases = Releases.read(self.pointer)
            at = time_now()
            found = releases.gone_back(at, self.marks().keys() - releases.live.models.values())
            try:
                self._check_may_live(found.live.models.values(), releases)
            except Forgotten as error:
                self._swap(releases, replace(releases, hold=Hold(at, ())))
                raise held(error) from error
            self._swap(releases, found)
            return found.live

    def lift_hold(self) -> None:
        """Let nights promote again. What was rolled back they still leave alone."""
        with self._lock():
            releases = self._releases()
            self._swap(releases, replace(releases, hold=None))

    def next_fence(self) -> int:
        """A token higher than any before: from now on nobody can publish with an older one. Survives a power cut."""
        with self._lock():
            return raise_fence(self.folder)

    def mark_forgotten(self, user: str, at: str) -> list[str]:
        """Mark every version that may have learnt from this person; returns them, the oldest first.

        at: ISO time; a version that is marked already keeps its own. What is live serves on until another takes its
        place. Call it after the person has left the store: what is read from then on does not hold them.
        """
        with self._lock():
            versions = self.versions()
            seen = [version for version in versions if self.may_know(version, user)]
            marks = Marks.read(self.folder)
            marks.without(set(marks.since).difference(versions)).forgotten(at, seen).write(self.folder)
        return seen

    def write_verdict(self, version: str, verdict: Mapping[str, Any]) -> None:
        """Lay what a night found beside a version's files; no part of its digest, and the next verdict replaces it."""
        with self._lock():
            replace_file(self._path(version) / VERDICT, json.dumps(verdict, indent=1, allow_nan=False).encode())

    def prunable(self, keep: int, spare: Collection[str] = ()) -> list[str]:
        """What ``prune`` would remove now."""
        needed = self._releases().needed
        anchors = {str((self.verdict(version) or {}).get("anchor")) for version in needed}
        return surplus(self.versions(), keep, {*needed, *anchors, *spare})

    def prune(self, keep: int, spare: Collection[str] = ()) -> list[str]:
        """Remove of each model all but the newest ``keep`` versions; returns those removed, the oldest first.

        What is live, what a rollback brings back, the anchors nights measure those by, and ``spare`` stay, uncounted. A
        release further back that misses a version is not gone back to: the next rollback goes to one that is whole.
        """
        with self._lock():
            return self._remove(self.prunable(keep, spare))

    def remove(self, version: str) -> None:
        """Remove one version. RecsysError for one that is live, or that a rollback brings back."""
        with self._lock():
            self._path(version)
            if version in self._releases().needed:
                raise RecsysError("this version is live, or next to come back by a rollback", where=version)
            self._remove([version])

    def _go_live(self, versions: Sequence[str], default: str | None, fence: int | None = None) -> Release:
        releases = self._releases()
        if fence is not None:
            if fence != read_fence(self.folder):
                raise Fenced("another night has begun since: this one was taken for dead", do="let that one end")
            releases.check_night(versions)
        self._check_may_live(versions, releases)
        found = releases.with_live(versions, default, by_person=fence is None)
        self._swap(releases, found)
        return found.live

    def _check_may_live(self, versions: Iterable[str], releases: Releases) -> None:
        """Each is loaded, and not marked, unless it is live."""
        marks, live = self.marks(), releases.live.models.values()
        for version in versions:
            if version in marks and version not in live:
                free = newest_free(self.versions(), version, marks, live, releases.rolled_back)
                raise forgotten(version, marks[version], self.folder, free)
            self.load(version)

    def _keep(self, bundle: ModelBundle, forgettings: int | None = None) -> str:
        files = bundle.files()
        digest, marks = digest_of(manifest_of(files)), Marks.read(self.folder)
        same = [version for version in self.versions() if parts_of(version)[1:] == (bundle.name, digest[:12])]
        for version in same:
            if version not in marks.since and self._is_whole(version):
                return version
        version = version_now(bundle.name, digest)
        known = forgettings is None and any(one in marks.since for one in same)
        if known or forgettings not in (None, marks.forgettings):
            marks.born(version).write(self.folder)  # first: no kill leaves the version without its mark
        write_folder(self.folder / "versions" / version, files)
        return version

    def _remove(self, versions: list[str]) -> list[str]:
        releases, marks = self._releases(), Marks.read(self.folder)
        self._swap(releases, releases.without(versions))  # first: no release is gone back to that misses a version
        for version in versions:
            remove_folder(self._path(version))
        if not marks.since.keys().isdisjoint(versions):
            marks.without(versions).write(self.folder)
        return versions

    def _swap(self, before: Releases, after: Releases) -> None:
        if after != before:
            replace_file(self.pointer, after.as_bytes())

    def _releases(self) -> Releases:
        try:
            return Releases.read(self.pointer)
        except NoModel:
            return Releases()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with locked(self.folder, self.patience):
            clear(self.folder)
            yield
