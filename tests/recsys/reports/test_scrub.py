"""Scrubbing reports: one person's rows and examples leave, and nothing of anybody else's or of any number."""

from __future__ import annotations

import copy
import json
import os
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from recsys.errors import StoreError
from recsys.reports import scrub as module
from recsys.reports.page import page
from recsys.reports.scrub import scrub
from tests.recsys.reports.world import world

SHORT, LONG = "12", 'bob "é" <o\'hara>'


def report(folder: Path, users: list[str]) -> dict[str, Any]:
    """A report folder as `recsys evaluate` writes it, whose examples and tables are about these users."""
    found = world(items=30)
    example = found["examples"][0]
    found["examples"] = [{**copy.deepcopy(example), "user": user, "why": "chosen"} for user in users]
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page(found), encoding="utf-8")
    each = [user for user in users for _ in range(3)]
    model = ["als", "popularity", "ease"] * len(users)
    pd.DataFrame({"model": model, "user": pd.Series(each, dtype="str"), "recall@20": [0.5] * len(each)}).to_parquet(
        folder / "per_user.parquet", index=False
    )
    lists = {
        "item": ["12"] * len(each),
        "rank": pd.Series([12] * len(each), dtype="int32"),
        "score": [0.25] * len(each),
    }
    pd.DataFrame({"model": model, "user": pd.Series(each, dtype="str"), **lists}).to_parquet(
        folder / "recommendations.parquet", index=False
    )
    return found


def states(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {file.name: (file.stat().st_ino, file.read_bytes()) for file in folder.iterdir()}


@pytest.mark.parametrize("user", [SHORT, LONG])
def test_one_person_leaves_and_all_else_stays(tmp_path: Path, user: str) -> None:
    folder = tmp_path / "20260203T040506Z"
    before = report(folder, ["1", SHORT, LONG, "123"])
    tables = {name: pq.read_table(folder / f"{name}.parquet") for name in ("per_user", "recommendations")}
    assert scrub(tmp_path, user) == []
    after = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert [one["user"] for one in before["examples"]] == ["1", SHORT, LONG, "123"]
    assert [one["user"] for one in after.pop("examples")] == [one for one in ("1", SHORT, LONG, "123") if one != user]
    assert after == {key: value for key, value in before.items() if key != "examples"}
    for name, table in tables.items():
        left = pq.read_table(folder / f"{name}.parquet")
        assert left.schema.equals(table.schema, check_metadata=True)
        assert left.to_pylist() == [row for row in table.to_pylist() if row["user"] != user]
    assert (folder / "report.html").read_text(encoding="utf-8") == page({**after, "examples": [
        one for one in before["examples"] if one["user"] != user
    ]})  # fmt: skip
    assert sorted(states(folder)) == ["per_user.parquet", "recommendations.parquet", "report.html", "report.json"]


def test_reports_without_them_are_not_touched(tmp_path: Path) -> None:
    report(tmp_path / "a", ["person-7", "other"])
    report(tmp_path / "b", ["other", "third"])
    before = states(tmp_path / "a"), states(tmp_path / "b")
    assert scrub(tmp_path, "person-7") == []
    after = states(tmp_path / "a"), states(tmp_path / "b")
    assert after[1] == before[1]
    assert all(after[0][name] != before[0][name] for name in before[0])
    assert scrub(tmp_path, "person-8") == []
    assert (states(tmp_path / "a"), states(tmp_path / "b")) == after


def test_where_there_are_no_reports_nothing_is_made(tmp_path: Path) -> None:
    assert scrub(tmp_path / "reports", "person-7") == []
    assert not (tmp_path / "reports").exists()


def test_what_still_names_them_is_told_without_their_name(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    found = report(folder, ["person-7"])
    found["verdict"]["text"] = "as 'person-7' shows, all is well"
    (folder / "report.json").write_text(json.dumps(found))
    (folder / "notes.txt").write_text("person-7, and person-7b")
    (folder / "harmless.csv").write_text("no-person-77,12\n")
    left = scrub(tmp_path, "person-7")
    assert [line.split(": ")[0] for line in left] == [
        f"{folder}/{n}" for n in ("notes.txt", "report.html", "report.json")
    ]
    assert not any("person-7" in line for line in left)
    assert scrub(tmp_path, SHORT) == []  # a number stands for too much else


def test_files_that_cannot_be_read_are_told_and_the_rest_is_done(tmp_path: Path) -> None:
    for name in ("a", "b"):
        report(tmp_path / name, ["person-7", "other"])
    (tmp_path / "a" / "per_user.parquet").write_bytes(b"no table")
    (tmp_path / "a" / "report.json").write_text('{"examples": [{"user": "person-7"')
    left = scrub(tmp_path, "person-7")
    assert {Path(line.split(": ")[0]).name for line in left} == {"per_user.parquet", "report.json", "report.html"}
    assert pq.read_table(tmp_path / "a" / "recommendations.parquet")["user"].unique().to_pylist() == ["other"]
    assert "person-7" not in (tmp_path / "b" / "report.json").read_text()


def test_a_page_that_can_no_longer_be_made_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    report(folder, ["person-7"])
    (folder / "report.json").write_text('{"schema": 0, "examples": [{"user": "person-7"}]}')
    (line,) = scrub(tmp_path, "person-7")
    assert line.startswith(f"{folder / 'report.html'}: it named them and was removed")
    assert not (folder / "report.html").exists()
    assert json.loads((folder / "report.json").read_text()) == {"schema": 0, "examples": []}


def test_what_a_killed_one_left_behind_goes(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    report(folder, ["other"])
    (folder / ".per_user.parquet.123.partial").write_text("half of person-7")
    assert scrub(tmp_path, "person-8") == []
    assert not list(folder.glob(".*"))


def test_a_crash_before_the_last_file_is_mended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is written before report.json: as long as that names somebody, the page is made again."""
    folder = tmp_path / "a"
    report(folder, ["person-7", "other"])
    replaced = module._replaced

    def dying(file: Path) -> Any:
        if file.name == "report.json":
            raise KeyboardInterrupt
        return replaced(file)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_replaced", dying)
        with pytest.raises(KeyboardInterrupt):
            scrub(tmp_path, "person-7")
    assert "person-7" in (folder / "report.json").read_text()
    (folder / "report.html").write_text("<p>person-7")  # as if it had died before the page, too
    assert scrub(tmp_path, "person-7") == []
    assert "other" in (folder / "report.html").read_text()


def test_two_at_once_do_not_bring_each_others_people_back(tmp_path: Path) -> None:
    users = [f"person {number}" for number in range(8)]
    report(tmp_path / "a", [*users, "other"])
    threads = [threading.Thread(target=scrub, args=(tmp_path, user)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pq.read_table(tmp_path / "a" / "per_user.parquet")["user"].unique().to_pylist() == ["other"]
    assert [one["user"] for one in json.loads((tmp_path / "a" / "report.json").read_text())["examples"]] == ["other"]


def test_a_report_that_cannot_be_written_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(tmp_path / "a", ["person-7"])

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreError, match="No space left"):
        scrub(tmp_path, "person-7")
    assert not list((tmp_path / "a").glob(".*"))
