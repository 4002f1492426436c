"""The files a command writes: refused before minutes of work where they cannot be, and never seen half written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import DataError, SettingError


def check_file(path: Path, endings: Sequence[str]) -> None:
    """SettingError for another ending than these, DataError for a folder that is not there."""
    if path.suffix not in endings:
        *others, last = endings
        known = f"{', '.join(others)} or {last}"
        raise SettingError(f"cannot write {path.suffix or 'a file without an ending'}", do=f"use {known}")
    if not path.parent.is_dir():
        raise DataError("there is no such folder", where=str(path.parent), do="make it first")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Where to write what is then put in its place."""
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    partial.replace(path)
