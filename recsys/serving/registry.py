"""ModelRegistry: every model version kept in a folder, and the one file that says which of them answer.

versions/<version>/     a bundle; the name is time, model and content hash, so that names sort by age
live.json               the live release and those before it, swapped in one step
.lock                   held while anything is written
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys.errors import AlreadyRunning, DamagedBundle, NoModel
from recsys.serving.bundle import CARD, NAMES, ModelBundle
from recsys.serving.files import digest_of, manifest_of, map_verified, replace_file, unwritable, write_folder

POINTER = "live.json"
KEPT_RELEASES = 100
_VERSION = re.compile(r"(\d{8}T\d{12}Z)-([A-Za-z0-9_]+)-([0-9a-f]{12})")
_TIME = "%Y%m%dT%H%M%S%fZ"

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Release:
    """What is live together. sequence: grows by one at every change. models: model name -> version."""

    sequence: int
    models: Mapping[str, str]
    default: str

    def version(self, name: str) -> str:
        """The live version of a model. NoModel names those there are."""
        if name not in self.models:
            raise NoModel(f"no live model is called {name!r}", do=f"ask for one of: {', '.join(sorted(self.models))}")
        return self.models[name]


class ModelRegistry:
    """Reads need no lock and always see a whole release; writes take the lock or raise AlreadyRunning."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.pointer = self.folder / POINTER

    def live(self) -> Release:
        """NoModel when nothing has been published, DamagedBundle when the pointer cannot be read."""
        return self._releases()[-1]

    def stamp(self) -> Stamp | None:
        """Changes whenever the live release may have changed; one system call. None: no pointer, or none to be seen."""
        try:
            found = self.pointer.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def versions(self) -> list[str]:
        """Every version kept, oldest first."""
        folder = self.folder / "versions"
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if _VERSION.fullmatch(entry.name))

    def describe(self) -> list[dict[str, Any]]:
        """version, model, created and live of every version kept, newest first; opens none of them."""
        try:
            live = set(self.live().models.values())
        except NoModel:
            live = set()
        rows = []
        for version in reversed(self.versions()):
            created, model, _ = parts_of(version)
            rows.append({"version": version, "model": model, "created": created, "live": version in live})
        return rows

    def card(self, version: str) -> dict[str, Any]:
        """What a version says of itself, its files verified."""
        card: dict[str, Any] = json.loads(bytes(self.verify(version)[CARD]))
        return card

    def verify(self, version: str) -> dict[str, memoryview]:
        """Hash every file of a version; returns their contents. DamagedBundle, or NoModel when there is no such one."""
        folder = self._path(version)
        files, digest = map_verified(folder, NAMES)
        self._check_name(version, digest, folder)
        return files

    def load(self, version: str) -> ModelBundle:
        """A version, verified and ready to score. DamagedBundle, or NoModel when there is no such one."""
        folder = self._path(version)
        bundle = ModelBundle.load(folder)
        self._check_name(version, bundle.digest, folder)
        if bundle.name != parts_of(version)[1]:
            raise DamagedBundle(f"the folder's name says another model than its card: '{bundle.name}'", where=version)
        return bundle

    def add(self, bundles: Sequence[ModelBundle]) -> list[str]:
        """Keep bundles without putting them live. Returns their versions."""
        with self._lock():
            return [self._write(bundle) for bundle in bundles]

    def publish(self, bundles: Sequence[ModelBundle], default: str | None = None) -> list[str]:
        """Write every bundle, read each back, then put all of them live in one step. Returns their versions.

        Models of the release before that are not among the bundles stay live.
        """
        with self._lock():
            versions = [self._write(bundle) for bundle in bundles]
            self._go_live(versions, default)
        return versions

    def promote(self, version: str) -> Release:
        """Put a kept version live for its model. It is loaded first: a damaged one is refused."""
        with self._lock():
            return self._go_live([version], None)

    def rollback(self) -> Release:
        """Put the release before the live one back. NoModel when there is none."""
        with self._lock():
            releases = self._releases()
            if len(releases) < 2:
                raise NoModel(
                    "there is no release before the live one", where=str(self.pointer), do="promote a version instead"
                )
            before = releases[-2]
            for version in before.models.values():
                self.load(version)
            restored = Release(releases[-1].sequence + 1, before.models, before.default)
            self._swap([*releases[:-2], restored])
            return restored

    def _go_live(self, versions: Sequence[str], default: str | None) -> Release:
        try:
            releases = self._releases()
        except NoModel:
            releases = []
        for version in versions:
            self.load(version)
        before = releases[-1] if releases else Release(0, {}, "")
        changed = {parts_of(version)[1]: version for version in versions}
        models = {**before.models, **changed}
        release = Release(before.sequence + 1, models, default or before.default or next(iter(changed), ""))
        release.version(release.default)  # a default that is not live is refused
        self._swap([*releases, release][-KEPT_RELEASES:])
        return release

    def _write(self, bundle: ModelBundle) -> str:
        files = bundle.files()
        now = datetime.now(UTC).strftime(_TIME)
        version = f"{now}-{bundle.name}-{digest_of(manifest_of(files))[:12]}"
        write_folder(self.folder / "versions" / version, files)
        return version

    def _swap(self, releases: Sequence[Release]) -> None:
        text = json.dumps({"releases": [asdict(release) for release in releases]}, indent=1)
        replace_file(self.pointer, text.encode())

    def _releases(self) -> list[Release]:
        try:
            found = json.loads(self.pointer.read_bytes())
            releases = [Release(r["sequence"], dict(r["models"]), r["default"]) for r in found["releases"]]
            sound = bool(releases) and all(_VERSION.fullmatch(v) for r in releases for v in r.models.values())
        except FileNotFoundError as error:
            raise NoModel(
                "no model has been published yet", where=str(self.folder), do="run `recsys train --publish`"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._bad_pointer() from error
        if not sound or releases[-1].default not in releases[-1].models:
            raise self._bad_pointer()
        return releases

    def _bad_pointer(self) -> DamagedBundle:
        return DamagedBundle("the live pointer cannot be read", where=str(self.pointer), do="remove it and promote")

    def _path(self, version: str) -> Path:
        folder = self.folder / "versions" / version
        if not _VERSION.fullmatch(version) or not folder.is_dir():  # the name is checked before it becomes a path
            raise NoModel(
                f"there is no model version {version[:80]!r}", where=str(self.folder), do="see `recsys models list`"
            )
        return folder

    @staticmethod
    def _check_name(version: str, digest: str, folder: Path) -> None:
        if not version.endswith(digest[:12]):
            raise DamagedBundle("the folder holds another model than its name says", where=str(folder))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """The kernel frees it when its holder dies, however it dies."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunning(
                    "another process is publishing", where=str(self.folder), do="try again in a moment"
                ) from error
            for leftover in self.folder.glob("versions/.partial-*"):  # of a writer that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            yield
        finally:
            os.close(descriptor)


def parts_of(version: str) -> tuple[str, str, str]:
    """(created as ISO 8601, model name, first 12 digits of the digest)."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise NoModel(f"{version[:80]!r} is not the name of a model version", do="see `recsys models list`")
    created = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
    return created.isoformat(timespec="seconds").replace("+00:00", "Z"), match[2], match[3]
