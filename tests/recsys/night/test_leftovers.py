"""Leftovers: what an interrupted night keeps goes with whoever is forgotten."""

from __future__ import annotations

from pathlib import Path

from recsys.night.leftovers import clear_work
from recsys.night.lock import NightLock


def left(folder: Path) -> Path:
    for name in ("work", "dry"):
        (folder / name / "material").mkdir(parents=True)
        (folder / name / "journal.json").write_text("{}")
    return folder


def test_what_interrupted_nights_keep_is_removed(tmp_path: Path):
    assert clear_work(left(tmp_path))
    assert not list(tmp_path.glob("*/journal.json"))
    assert not (tmp_path / "work").exists()
    assert not (tmp_path / "dry").exists()
    assert NightLock(tmp_path).holder() is None


def test_a_night_at_work_keeps_what_it_works_on(tmp_path: Path):
    with NightLock(left(tmp_path)).held():
        assert not clear_work(tmp_path)
    assert (tmp_path / "work" / "journal.json").exists()


def test_where_no_night_ever_was_nothing_is_made(tmp_path: Path):
    assert clear_work(tmp_path / "night")
    assert not (tmp_path / "night").exists()
