"""The sample: an invented cinema, small enough to read and rich enough that a learned model beats popularity."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def folder() -> Path:
    """The folder with interactions.csv, items.jsonl and users.csv, as our own readers take it."""
    return Path(str(files("data.sample")))
