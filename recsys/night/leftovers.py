"""Leftovers: what a night that was cut off keeps to go on from, gone before its time."""

from __future__ import annotations

import shutil
from pathlib import Path

from recsys.errors import AlreadyRunning
from recsys.night.lock import NightLock

WORK, DRY = "work", "dry"


def clear_work(folder: Path) -> bool:
    """Remove it; False while a night is at work there, which notices by itself that somebody was forgotten.

    It names nobody, but holds what everybody did.
    """
    if not folder.is_dir():
        return True
    try:
        with NightLock(folder).held():
            for name in (WORK, DRY):
                (folder / name / "journal.json").unlink(missing_ok=True)
                shutil.rmtree(folder / name, ignore_errors=True)
    except AlreadyRunning:
        return False
    return True
