"""`recsys bench serve --drill`: what it says of drills that were run, that cannot be, or that found a fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.bench_serve import serve
from benchmarks.serve import bench
from recsys.errors import SettingError

RUN = [name for name in bench.NAMES if name != "outage"]


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Drills that find nothing at once; what each found broken, by name."""
    broken: dict[str, list[str]] = {}

    def drill(name: str, *_: Any) -> dict[str, Any]:
        return {"trials": 7, "broken": broken.get(name, [])}

    monkeypatch.setattr(bench, "make_home", lambda *_: None)
    monkeypatch.setattr(bench, "drill", drill)
    monkeypatch.setattr(bench.outage, "drill", lambda _, **sizes: {"seconds": sizes["seconds"], "broken": []})
    return broken


def run(*arguments: str) -> Result:
    return CliRunner().invoke(serve, arguments)


def test_without_a_database_all_says_that_outage_was_left_out() -> None:
    result = run("--drill", "all")
    assert result.exit_code == 0, result.output
    [line] = [line for line in result.stdout.splitlines() if line.split()[:1] == ["outage"]]
    assert "left out: " in line
    assert "no database was named" in line
    assert result.stdout.count("trials 7") == len(RUN)
    found = json.loads(run("--drill", "all", "--json").stdout)
    assert list(found) == [*RUN, "outage"]
    assert "no database was named" in found["outage"]["left_out"]


@pytest.mark.parametrize("beside", [[], ["--drill", "all"], ["--drill", "swaps"]])
def test_outage_by_name_without_a_database_is_a_mistake(beside: list[str], tmp_path: Path) -> None:
    result = run("--drill", "outage", *beside, "--folder", str(tmp_path / "kept"))
    assert isinstance(result.exception, SettingError)
    assert "outage" in result.exception.what
    assert "--postgresql" in result.exception.do
    assert not (tmp_path / "kept").exists()


def test_outage_is_run_where_there_is_a_database() -> None:
    for name in ("outage", "all"):
        found = json.loads(run("--drill", name, "--quick", "--json", "--postgresql", "postgresql://h/d").stdout)
        assert found["outage"] == {"seconds": 3.0, "broken": []}


def test_a_database_that_is_not_postgresql_is_a_mistake() -> None:
    result = run("--drill", "outage", "--postgresql", "mysql://user:secret@h/d")
    assert isinstance(result.exception, SettingError)
    assert "PostgreSQL" in result.exception.what
    assert "secret" not in str(result.exception)


def test_a_broken_promise_is_told_and_ends_with_status_1(made_up: dict[str, list[str]]) -> None:
    made_up["swaps"] = ["3 answers are mixtures"]
    result = run("--drill", "swaps", "--drill", "abuse")
    assert result.exit_code == 1
    assert "3 answers are mixtures" in result.stdout
    assert "holds" in result.stdout
