"""The journal: what is done stays done, for whoever asks the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.night.journal import Journal


def test_another_process_sees_what_is_done(tmp_path: Path):
    journal = Journal(tmp_path, {"seed": 0})
    assert not journal.resumed
    journal.began("matrix")
    journal.ended("matrix", 1.5, "5 users", {"users": 5})
    journal.note(night=3)
    again = Journal(tmp_path, {"seed": 0})
    assert again.resumed
    assert again.done("matrix")
    assert again.result("matrix") == {"users": 5}
    assert again.facts == {"night": 3}
    assert [*again.steps()] == ["matrix"]


def test_a_step_without_an_end_is_not_done_and_its_beginnings_are_counted(tmp_path: Path):
    assert Journal(tmp_path, {}).began("train als") == 1
    again = Journal(tmp_path, {})
    assert not again.done("train als")
    assert again.began("train als") == 2
    with pytest.raises(KeyError):
        again.result("train als")


def test_other_settings_do_not_go_on_with_it(tmp_path: Path):
    Journal(tmp_path, {"seed": 0}).note(night=1)
    assert not Journal(tmp_path, {"seed": 1}).resumed


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"identity": {}}', b"\xff"])
def test_a_damaged_one_is_begun_anew(tmp_path: Path, content: bytes):
    (tmp_path / "journal.json").write_bytes(content)
    journal = Journal(tmp_path, {})
    assert not journal.resumed
    journal.note(night=1)
    assert Journal(tmp_path, {}).facts == {"night": 1}


def test_cleared_it_is_gone_with_everything_kept_beside_it(tmp_path: Path):
    journal = Journal(tmp_path / "work", {})
    journal.note(night=1)
    (tmp_path / "work" / "material").mkdir()
    journal.clear()
    assert not (tmp_path / "work").exists()
    assert not Journal(tmp_path / "work", {}).resumed
