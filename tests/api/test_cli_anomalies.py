"""recsys anomalies as people meet it: a table, a page, files for other programs, and what mistakes say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from api.cli import main
from api.cli.anomalies import command
from api.cli.session import Session
from recsys.errors import DataError, NoModel, RecsysError, SettingError

PEOPLE, WIDTH = 160, 30
Run = Callable[..., Result]


def log(folder: Path) -> Path:
    """Two tastes of WIDTH items; u000 and u001 took the same fourteen; intruders took from both, and x."""
    rng = np.random.default_rng(0)
    lines = ["user,item,rating"]
    for number in range(PEOPLE):
        taste = "ab"[number % 2]
        for item in rng.choice(WIDTH, rng.integers(8, 14), replace=False) if number > 1 else range(14):
            lines.append(f"u{number:03d},{'a' if number < 2 else taste}{item},5")
    for number in range(8):
        for item in rng.choice(2 * WIDTH, 14, replace=False):
            lines.append(f"odd{number},{'ab'[item // WIDTH]}{item % WIDTH},5")
        lines.append(f"odd{number},x,5")
    (folder / "log.csv").write_text("\n".join([*lines, "short,a1,5"]) + "\n")
    (folder / "items.csv").write_text(
        "item,title\n" + "".join(f'{taste}{k},"<i>{taste} {k}</i>"\n' for taste in "ab" for k in range(WIDTH))
    )
    return folder / "log.csv"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("anomalies")
    file = log(folder)
    for arguments in (
        ["import", str(file), "--items", str(folder / "items.csv")],
        ["train", "--model", "svd", "--set", "factors=2", "--publish"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(folder / "home"), *arguments])
        assert not ended.value.code
    return str(folder / "home")


@pytest.fixture
def run(home: str) -> Run:
    def call(*arguments: str, home: str = home) -> Result:
        arguments = ("--model", "svd", *arguments)
        return CliRunner().invoke(command, arguments, obj=Session(home=home))

    return call


def error_of(result: Result) -> RecsysError:
    assert isinstance(result.exception, RecsysError)
    return result.exception


def test_who_stands_out_is_listed_with_reasons_and_where_to_go(run: Run) -> None:
    result = run("--false-alarms", "0.02")
    assert result.exit_code == 0, result.output
    assert "odd" in result.stdout
    assert "usual" in result.stdout
    assert re.search(r"\d+ of 168 histories stand out; about 3 would if everybody were genuine", result.stderr)
    assert "--out anomalies.html" in result.stderr


def test_json_has_the_people_strangest_first_and_what_they_share(run: Run) -> None:
    found = json.loads(run("--json", "--false-alarms", "0.02").stdout)
    assert (found["judged"], found["not_judged"], found["crossed"]) == (168, 1, True)
    assert sum(one["user"].startswith("odd") for one in found["people"]) >= 6
    scores = [one["score"] for one in found["people"]]
    assert scores == sorted(scores, reverse=True)
    assert found["shared"][0]["item"] == "x"
    copies = {one["user"]: one["reasons"][0] for one in found["people"] if one["copy"]}
    assert copies["u000"] == "nearly a copy: shares 14 of 14 items with user u001"


def test_the_page_asks_for_nothing_and_obeys_no_title(run: Run, tmp_path: Path) -> None:
    result = run("--out", str(tmp_path / "out.html"), "--false-alarms", "0.02")
    assert result.exit_code == 0, result.output
    html = (tmp_path / "out.html").read_text()
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|<i>[ab] \d", html)
    assert "&lt;i&gt;" in html
    assert not re.search(r"#fa0[0-9a-f]{3}", html)
    assert html.count("<svg") == 1
    assert "odd" in html
    assert [path.name for path in tmp_path.iterdir()] == ["out.html"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_a_file_has_everybody_or_everybody_flagged(run: Run, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"out.{ending}"
    assert run("--out", str(file)).exit_code == 0
    if ending == "json":
        assert json.loads(file.read_text())["people"]
        return
    table = pd.read_csv(file) if ending == "csv" else pd.read_parquet(file)
    assert len(table) == 169
    assert table.columns.tolist() == ["user", "length", "score", "p", "flagged", "copy", "reasons"]
    assert table["flagged"].sum() >= 2


def test_judging_as_trained_trains_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_training(*_: object) -> None:
        raise AssertionError("a model was trained")

    monkeypatch.setattr("recsys.models.svd.SVD.fit", no_training)
    found = json.loads(run("--as-trained", "--json").stdout)
    assert not found["crossed"]


def test_two_runs_find_the_same(run: Run) -> None:
    assert run("--json").stdout == run("--json").stdout


def test_without_a_model_it_says_what_to_do(run: Run, home: str, tmp_path: Path) -> None:
    error = error_of(run(home=str(tmp_path)))
    assert isinstance(error, NoModel)
    assert "recsys train --publish" in error.do


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_judged(run: Run, tmp_path: Path) -> None:
    assert isinstance(error_of(run("--out", str(tmp_path / "out.pdf"))), SettingError)
    assert isinstance(error_of(run("--out", str(tmp_path / "nowhere" / "out.html"))), DataError)
    assert run("--false-alarms", "0.9").exit_code == 2
