"""Forgetting somebody wherever they are known: the store, the reports, the models that may have learnt from them."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from data.records import Receipt, id_fault
from recsys.errors import DamagedBundle, NoModel, RecsysError
from recsys.interactions import iso_time
from recsys.night.leftovers import clear_work
from recsys.reports.scrub import scrub
from recsys.serving.registry import ModelRegistry

if TYPE_CHECKING:
    from data.store import Store


class Done(NamedTuple):
    """receipt: what was deleted, and which versions are marked. left: where their id may still stand, in words that do
    not name them."""

    receipt: Receipt
    left: list[str]


def forget(store: Store, registry: ModelRegistry, reports: Path, user: str, night: Path | None = None) -> Done | None:
    """Delete a user and everything of theirs; None, and nothing changed, where there is nothing.

    Raises StoreError, and AlreadyRunning where others publish all the time.

    reports: the folder of all reports. night: that of the nights, where one that was cut off may have left a matrix.
    Marks and reports come first: as long as any of it can fail the store knows
    them still, and it can be done again. They come once more at the end, for what was made meanwhile.
    """
    if id_fault(user) is not None:
        return None  # no store holds such an id
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    known = store.user(user) is not None
    versions: set[str] = set()
    if known:
        versions.update(registry.mark_forgotten(user, at))
        scrub(reports, user)
    receipt = store.forget(user, versions)
    if receipt is None:
        return None
    left = []
    try:
        if known:
            later = versions.union(registry.mark_forgotten(user, at))
            if later != versions:
                store.set_receipt_versions(receipt.id, sorted(later))
                receipt = replace(receipt, versions=tuple(sorted(later)))
        left = scrub(reports, user)
        if night is not None:
            clear_work(night)
    except RecsysError as error:  # they are gone all the same, and whoever asked must get the receipt
        left.append(f"{error.where or registry.folder}: what was made in this very moment may know them: {error.what}")
    return Done(receipt, left)


def shown(receipt: Receipt, registry: ModelRegistry) -> dict[str, Any]:
    """A receipt as JSON has it; of each version on it whether it is still kept, and whether it answers now."""
    kept = set(registry.versions())
    try:
        live = set(registry.live().models.values())
    except (NoModel, DamagedBundle):
        live = set()
    marked = [{"version": one, "kept": one in kept, "live": one in live} for one in receipt.versions]
    return {**asdict(receipt), "at": iso_time(receipt.at), "versions": marked}
