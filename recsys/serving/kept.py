"""KeptVersions: the model versions in a folder, read back whole or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recsys.errors import DamagedBundle, NoModel
from recsys.panel import on_panel
from recsys.serving.bundle import CARD, NAMES, ModelBundle
from recsys.serving.files import map_verified
from recsys.serving.versions import is_version, parts_of

VERDICT = "verdict.json"


class KeptVersions:
    """versions/<version>/ holds a bundle; the name is time, model and content hash, so that names sort by age."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def versions(self) -> list[str]:
        """Every version kept, oldest first."""
        folder = self.folder / "versions"
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if is_version(entry.name))

    def verify(self, version: str) -> dict[str, memoryview]:
        """Hash every file of a version; returns their contents. DamagedBundle, or NoModel when there is no such one."""
        folder = self._path(version)
        files, digest = map_verified(folder, NAMES)
        _check_name(version, digest, folder)
        return files

    def load(self, version: str) -> ModelBundle:
        """A version, verified and ready to score. DamagedBundle, or NoModel when there is no such one."""
        folder = self._path(version)
        bundle = ModelBundle.load(folder)
        _check_name(version, bundle.digest, folder)
        if bundle.name != parts_of(version)[1]:
            raise DamagedBundle(f"the folder's name says another model than its card: '{bundle.name}'", where=version)
        return bundle

    def card(self, version: str) -> dict[str, Any]:
        """What a version says of itself, its files verified."""
        card: dict[str, Any] = json.loads(bytes(self.verify(version)[CARD]))
        return card

    def verdict(self, version: str) -> dict[str, Any] | None:
        """What the last night that judged a version found; None where none has, or where it cannot be read."""
        try:
            found = json.loads((self._path(version) / VERDICT).read_bytes())
        except (NoModel, OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def may_know(self, version: str, user: str) -> bool:
        """Could a version have learnt from this person? Not if they are on the panel that its card names; only the card
        is read, and of an unreadable one nothing is known."""
        try:
            share = float(json.loads((self._path(version) / CARD).read_bytes()).get("panel", 0.0))
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return True
        return not (0 < share <= 1 and on_panel([user], share)[0])

    def _is_whole(self, version: str) -> bool:
        try:
            self.verify(version)
        except DamagedBundle:
            return False
        return True

    def _path(self, version: str) -> Path:
        folder = self.folder / "versions" / version
        if not is_version(version) or not folder.is_dir():  # the name is checked before it becomes a path
            raise NoModel(
                f"there is no model version {version[:80]!r}", where=str(self.folder), do="see `recsys models list`"
            )
        return folder


def _check_name(version: str, digest: str, folder: Path) -> None:
    if not version.endswith(digest[:12]):
        raise DamagedBundle("the folder holds another model than its name says", where=str(folder))
