"""Prune: what each version is kept for, which have had their time, and how one leaves the disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.errors import SettingError
from recsys.serving.files import sync_folder, unwritable
from recsys.serving.releases import Releases
from recsys.serving.versions import parts_of


def roster(
    versions: Sequence[str],
    releases: Releases,
    marks: Mapping[str, str],
    verdict: Callable[[str], Mapping[str, Any] | None],
) -> list[dict[str, Any]]:
    """Of each version, newest first: version, model, created, live, previous (a rollback brings it back), marked (since
    when, or None), decision (of the last verdict, or None)."""
    live, rows = set(releases.live.models.values()), []
    for version in reversed(versions):
        created, model, _ = parts_of(version)
        row = {"version": version, "model": model, "created": created, "live": version in live}
        row |= {"previous": version in releases.needed - live, "marked": marks.get(version)}
        rows.append({**row, "decision": (verdict(version) or {}).get("decision")})
    return rows


def surplus(versions: Sequence[str], keep: int, spared: Collection[str]) -> list[str]:
    """Of versions, oldest first, those that go: of each model all but the newest ``keep`` and those spared."""
    if keep < 0:
        raise SettingError(f"{keep} versions cannot be kept", do="give 0 or more")
    others: dict[str, list[str]] = {}
    for version in versions:
        if version not in spared:
            others.setdefault(parts_of(version)[1], []).append(version)
    return sorted(version for some in others.values() for version in some[: max(len(some) - keep, 0)])


def remove_folder(folder: Path) -> None:
    """A version's folder is renamed first: it is whole or not listed, and what a kill leaves is cleared by `clear`.

    Who has it mapped goes on serving from it. Raises StoreError.
    """
    try:
        away = folder.rename(folder.with_name(f".partial-{folder.name}"))
        sync_folder(folder.parent)
        shutil.rmtree(away)
    except OSError as error:
        raise unwritable(folder, error) from error


def clear(folder: Path) -> None:
    """Remove what a writer or a remover that was killed left in a registry; under its lock."""
    for leftover in folder.glob("versions/.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for pattern in (".*.partial", "versions/*/.*.partial"):
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
