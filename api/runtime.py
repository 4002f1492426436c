"""Runtime: the folder that the processes of one server share while it runs, and nothing needs afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.metrics import FOLDER
from api.settings import RUNTIME


@contextmanager
def runtime_folder() -> Iterator[Path]:
    """A new folder, known to every process started inside the block; removed at its end.

    It holds the rate limiter's counts and the files of the metrics.
    """
    folder = Path(tempfile.mkdtemp(prefix="recsys-"))
    metrics = folder / "metrics"
    metrics.mkdir()
    names = {RUNTIME: str(folder), FOLDER: str(metrics)}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield folder
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        remove(folder)


def shared_file(name: str) -> Path | None:
    """A file that all workers of this server share; None for a process that serves alone."""
    folder = os.environ.get(RUNTIME)
    return Path(folder) / name if folder else None


def remove(folder: Path) -> None:
    """Gone, or as much of it as can be: another process may be removing it, too."""
    shutil.rmtree(folder, ignore_errors=True)
