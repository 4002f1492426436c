"""`recsys evaluate` with each protocol, and `recsys report verify` on what it wrote."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.store import Store
from recsys.evaluation import run as run_module


@pytest.fixture
def log(tmp_path: Path) -> str:
    """80 people of two tastes among 24 items, one event a day and person; films and people described beside them."""
    rows, start, rng = [], 1_600_000_000, np.random.default_rng(0)
    for u in range(80):
        liked = rng.permutation([i for i in range(24) if i % 2 == u % 2])[: rng.integers(6, 11)]
        rows += [f"u{u},i{i},5,{start + 86_400 * (7 * k + u % 11)}" for k, i in enumerate(liked)]
    (tmp_path / "log.csv").write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")
    films = [f"i{i},Film {i},{'Comedy' if i % 2 else 'Horror'}" for i in range(24)]
    (tmp_path / "films.csv").write_text("item,title,categories\n" + "\n".join(films) + "\n")
    (tmp_path / "people.csv").write_text("user,city\n" + "\n".join(f"u{u},c{u % 2}" for u in range(80)) + "\n")
    return "log.csv"


def ask(log: str, *more: str) -> tuple[str, ...]:
    return ("--home", "h", "evaluate", "--interactions", log, "--models", "als,popularity", *more)


@pytest.mark.parametrize("protocol", ["strong", "leave-last-out", "temporal", "rolling"])
def test_every_protocol_ends_in_a_report_that_says_whom_it_asked_what(
    protocol: str, run: Any, log: str, tmp_path: Path
) -> None:
    outcome = run(*ask(log, "--protocol", protocol, "--out", "r", "--json"))
    assert outcome.status == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["protocol"]["name"] == protocol
    assert "asked" in report["protocol"]["description"]
    assert report["data"]["source"] == "log.csv"
    assert bool(report["rounds"]) == (protocol == "rolling")
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "per_user.parquet",
        "recommendations.parquet",
        "report.html",
        "report.json",
    ]
    assert report["verdict"]["text"] in html.unescape((tmp_path / "r" / "report.html").read_text(encoding="utf-8"))
    assert report["verdict"]["text"] not in outcome.err  # standard output is for machines, and has it


def test_the_verdict_and_the_warnings_stand_before_the_table(run: Any, log: str) -> None:
    outcome = run(*ask(log))
    assert outcome.status == 0, outcome.err
    assert "als and popularity cannot be told apart" in outcome.err  # by eight people
    assert "warning: yardstick tuned? als" in outcome.err
    assert outcome.out.strip().startswith("model")


def test_several_seeds_make_one_report(run: Any, log: str, tmp_path: Path) -> None:
    outcome = run(*ask(log, "--seed", "3", "--seed", "4", "--out", "r", "--json"))
    report = json.loads(outcome.out)
    assert (report["seed"], report["seeds"]) == (3, [3, 4])
    assert [one["label"] for one in report["rounds"]] == ["seed 3", "seed 4"]
    rows = pd.read_parquet(tmp_path / "r" / "per_user.parquet")
    assert set(rows["round"]) == {"seed 3", "seed 4"}


def test_titles_categories_and_attributes_come_from_the_files_named(run: Any, log: str) -> None:
    files = ("--items", "films.csv", "--users", "people.csv", "--cohort", "city", "--cohort", "category")
    report = json.loads(run(*ask(log, *files, "--json")).out)
    assert {"city", "category"} <= set(report["cohorts"])
    assert "calibration@20" in report["models"]["als"]["metrics"]
    assert report["examples"][0]["given"][0]["title"].startswith("Film ")


def test_a_cohort_that_nothing_is_known_of_is_found_before_anything_is_trained(run: Any, log: str) -> None:
    outcome = run(*ask(log, "--cohort", "height", "--users", "people.csv"))
    assert outcome.status == 2
    assert "height" in outcome.err
    assert "city" in outcome.err
    assert "als: step" not in outcome.err


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--at", "2021-01-01"), "--at"),
        (("--protocol", "temporal", "--at", "soon"), "soon"),
        (("--protocol", "rolling", "--seed", "1", "--seed", "2"), "--seed"),
        (("--tune", "2", "--seed", "1", "--seed", "2"), "--tune"),
        (("--protocol", "fixed"), "--train"),
    ],
)
def test_what_does_not_go_together_is_refused(flags: tuple[str, ...], word: str, run: Any, log: str) -> None:
    outcome = run(*ask(log, *flags))
    assert outcome.status in (1, 2)
    assert word in outcome.err


def test_an_earlier_look_at_the_same_test_part_with_other_settings_is_told(run: Any, log: str, tmp_path: Path) -> None:
    def looks() -> str:
        report = json.loads(run(*ask(log, "--json")).out)
        (found,) = [check for check in report["checks"] if check["name"] == "first look at the test"]
        return str(found["status"])

    assert looks() == "ok"
    (tmp_path / "recsys.toml").write_text("[models.als]\nfactors = 4\n")
    assert looks() == "warn"


def test_a_report_that_has_no_place_to_go_is_refused_before_anything_is_trained(
    run: Any, log: str, tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "notes.txt").write_text("mine")
    outcome = run(*ask(log, "--out", "r"))
    assert outcome.status == 1
    assert "already something where the report should go" in outcome.err
    assert "step" not in outcome.err


def test_a_report_is_verified_to_the_last_digit(run: Any, log: str) -> None:
    assert run(*ask(log, "--seed", "1", "--seed", "2", "--out", "r")).status == 0
    outcome = run("--home", "h", "report", "verify", "r")
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("all ")
    assert "numbers are the same to the last digit" in outcome.out
    assert json.loads(run("--home", "h", "report", "verify", "r", "--json").out)["verified"] is True


def test_a_number_that_was_changed_is_found(run: Any, log: str, tmp_path: Path) -> None:
    run(*ask(log, "--out", "r"))
    file = tmp_path / "r" / "report.json"
    report = json.loads(file.read_text())
    report["models"]["als"]["metrics"]["recall@20"]["mean"] += 1e-9
    file.write_text(json.dumps(report))
    outcome = run("--home", "h", "report", "verify", "r")
    assert outcome.status == 1
    assert "recall@20" in outcome.out
    assert "different" in outcome.out
    assert run("--home", "h", "report", "verify", "r", "--tolerance", "0.001").status == 0


def test_elsewhere_numbers_agree_within_a_tolerance(run: Any, log: str, tmp_path: Path) -> None:
    run(*ask(log, "--out", "r"))
    file = tmp_path / "r" / "report.json"
    report = json.loads(file.read_text())
    report["machine"]["processor"] = "another"
    report["models"]["als"]["metrics"]["recall@20"]["mean"] += 1e-4
    file.write_text(json.dumps(report))
    outcome = run("--home", "h", "report", "verify", "r")
    assert outcome.status == 0, outcome.err
    assert "processor: another then" in outcome.err
    assert "1 within 0.002" in outcome.out


def test_other_data_cannot_verify_a_report(run: Any, log: str, tmp_path: Path) -> None:
    run(*ask(log, "--out", "r"))
    with (tmp_path / "log.csv").open("a") as more:
        more.write("u0,i1,5,1600000000\n")
    outcome = run("--home", "h", "report", "verify", "r")
    assert outcome.status == 1
    assert "the data is not what the report was made from" in outcome.err
    (tmp_path / "log.csv").unlink()
    outcome = run("--home", "h", "report", "verify", "r")
    assert outcome.status == 1
    assert "log.csv" in outcome.err


def test_what_is_no_report_is_said_to_be_none(run: Any, tmp_path: Path) -> None:
    assert "no report here" in run("report", "verify", "nowhere").err
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "report.json").write_text("{")
    assert "damaged" in run("report", "verify", "r").err
    (tmp_path / "r" / "report.json").write_text('{"schema": 99}')
    assert "schema" in run("report", "verify", "r").err
    assert "recsys evaluate" in run("--home", "h", "report", "open").err


def test_the_newest_report_is_opened(run: Any, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    run(*ask(log))
    outcome = run("--home", "h", "report", "open")
    assert outcome.status == 0
    (address,) = opened
    assert address.startswith("file://")
    assert address.endswith("report.html")


def test_people_of_similar_interests_are_exported(run: Any, log: str, tmp_path: Path) -> None:
    assert run("--home", "h", "import", log, "--items", "films.csv", "--users", "people.csv").status == 0
    assert run("--home", "h", "train", "--model", "svd", "--model", "popularity", "--publish").status == 0
    outcome = run("--home", "h", "export", "groups", "groups.csv", "--model", "svd")
    assert outcome.status == 0, outcome.err
    rows = pd.read_csv(tmp_path / "groups.csv")
    assert set(rows["user"]) == {f"u{u}" for u in range(80)}
    odd = rows["user"].str[1:].astype(int) % 2
    assert odd.groupby(rows["group"]).nunique().eq(1).all()  # nobody of the other taste in any group
    assert "Comedy" in outcome.err
    refused = run("--home", "h", "export", "groups", "g.csv", "--model", "popularity")
    assert refused.status == 2
    assert "bottleneck" in refused.err


def test_nothing_is_written_of_somebody_who_was_forgotten_meanwhile(
    run: Any, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--home", "h", "import", log)
    asked = ("--home", "h", "evaluate", "--models", "als,popularity", "--min-user", "2")
    assert run(*asked).status == 0
    compare, left = run_module.compare, []

    def leave(*arguments: Any, **options: Any) -> Any:
        with Store.open(f"sqlite:///{tmp_path / 'h' / 'recsys.db'}") as store:
            left.append(store.forget("u7"))
        return compare(*arguments, **options)

    monkeypatch.setattr(run_module, "compare", leave)
    outcome = run(*asked, "--out", "report")
    assert left[0] is not None
    assert outcome.status == 1
    assert "somebody was forgotten meanwhile" in outcome.err
    assert not (tmp_path / "report").exists()
