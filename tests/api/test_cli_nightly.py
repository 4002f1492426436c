"""recsys nightly, as cron and people call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import migrations
from api.cli import main
from api.settings import Settings
from benchmarks.night.rig import SMALL, make_rig, slice_of
from data.store import Store
from recsys.gate.rules import Rules
from recsys.night.lock import NightLock
from recsys.serving.registry import ModelRegistry
from tests.recsys.night.world import history


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with people of two tastes, whose nights train ALS alone."""
    folder = tmp_path / "home"
    make_rig(folder, history())
    monkeypatch.setenv("RECSYS_HOME", str(folder))
    monkeypatch.setenv("RECSYS_NIGHTLY__MODELS", "als")
    monkeypatch.setenv("RECSYS_NIGHTLY__NICE", "0")  # of the process that runs these tests
    monkeypatch.setenv("RECSYS_MODELS__ALS__FACTORS", "8")
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


def test_a_night_publishes_makes_lists_and_writes_a_report(home: Path, capsys: pytest.CaptureFixture[str]):
    assert run("nightly", "--once") == 0
    said = capsys.readouterr().err
    for part in ("snapshot: 7,200 events", "train als: ", "judge als: promote", "the night is over: promote"):
        assert part in said
    assert "\r" not in said  # no bar where nobody looks at a terminal
    settings = Settings.load()
    assert set(ModelRegistry(settings.registry_folder).live().models) == {"als"}
    with Store.open(settings.url) as store:
        lists = store.lists("als", ["person-0000", "person-0001"])
        assert all(len(items) == 20 for _, items in lists.values())
        assert len(lists) == 2
    [report] = settings.reports_folder.iterdir()
    found = json.loads((report / "report.json").read_text())
    assert (found["schema"], found["kind"], found["verdicts"]["als"]["decision"]) == (1, "night", "promote")
    page = (report / "report.html").read_text()
    assert "a new version is live" in page
    for text in (page, json.dumps(found)):
        assert "als" in text
        assert "person-" not in text
    assert not (settings.night_folder / "work").exists()


def test_status_shows_the_nights_their_steps_and_reasons(home: Path, capsys: pytest.CaptureFixture[str]):
    assert run("nightly", "--status") == 0
    assert "no night has been run yet" in capsys.readouterr().err
    run("nightly")
    capsys.readouterr()
    assert run("nightly", "--status") == 0
    shown = capsys.readouterr()
    assert "no night is at work now" in shown.err
    for part in ("promote", "judge als", "kept apart to judge by"):
        assert part in shown.out
    assert run("nightly", "--status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["at_work"] is None
    [night] = found["nights"]
    assert (night["status"], night["decision"]) == ("done", "promote")
    assert [step["status"] for step in night["steps"]] == ["done"] * len(night["steps"])
    assert night["verdicts"][0]["figures"]["people"] > 0


def test_a_second_night_ends_with_75_and_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]):
    lock = NightLock(home / "night")
    with lock.held():
        lock.beat(step="train als")
        assert run("nightly") == 75
        assert "already running" in capsys.readouterr().err
        assert run("nightly", "--status") == 0
        assert "at work: process" in capsys.readouterr().err
    with Store.open(Settings.load().url) as store:
        assert store.nights.recent(5) == []


def test_a_failed_night_ends_with_1_and_says_what_where_and_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]):
    run("nightly")
    with Store.open(Settings.load().url) as store:
        people = store.active_users(None, None, 200)
        for person in people:
            store.forget(person)
    capsys.readouterr()
    assert run("nightly") == 1
    said = capsys.readouterr().err
    assert "events do not go missing" in said
    assert "--accept-data" in said
    assert run("nightly", "--accept-data", "--json") in (0, 1)
    assert json.loads(capsys.readouterr().out)["status"] == "done"


def test_a_dry_run_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]):
    assert run("nightly", "--dry-run") == 0
    assert "a dry run: nothing was changed" in capsys.readouterr().err
    settings = Settings.load()
    assert ModelRegistry(settings.registry_folder).versions() == []
    assert not settings.reports_folder.exists()
    with Store.open(settings.url) as store:
        assert store.nights.recent(5) == []


def test_a_vanished_table_is_named_and_the_live_model_stays(home: Path, capsys: pytest.CaptureFixture[str]):
    run("nightly")
    settings = Settings.load()
    before = ModelRegistry(settings.registry_folder).live()
    with Store.open(settings.url) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("drop table interactions")
    capsys.readouterr()
    assert run("nightly") == 1
    assert "interactions" in capsys.readouterr().err
    assert ModelRegistry(settings.registry_folder).live() == before
    assert NightLock(settings.night_folder).holder() is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RECSYS_NIGHTLY__MODELS", "als,nonsense", "nonsense"),
        ("RECSYS_NIGHTLY__MARGIN", "0", "margin"),
        ("RECSYS_NIGHTLY__METRIC", "nonsense@3", "nonsense"),
        ("RECSYS_NIGHTLY__KEEP", "0", "keep"),
        ("RECSYS_PANEL_SHARE", "0", "panel"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_done(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    said: str,
):
    monkeypatch.setenv(variable, value)
    assert run("nightly") == 2
    assert said in capsys.readouterr().err
    assert not (home / "night" / "work").exists()


def test_the_settings_of_the_judge_are_its_own_defaults():
    ours, theirs = Settings(), Rules()
    assert (ours.nightly.metric, ours.nightly.margin) == (theirs.metric, theirs.margin)
    assert (ours.nightly.better, ours.nightly.alpha) == (theirs.better, theirs.alpha)


def test_serve_refuses_what_is_no_time_of_day(home: Path, capsys: pytest.CaptureFixture[str]):
    assert run("serve", "--nightly", "noon") == 2
    assert "not a time of day" in capsys.readouterr().err


def test_the_rig_of_the_benchmarks_makes_a_home(tmp_path: Path):
    rig = make_rig(tmp_path / "rig", slice_of(history(), 0, 0.5), **SMALL)
    with rig.store() as store:
        assert store.stats().interactions == 3_600
    assert rig.settings.models["als"] == {"factors": 16}


def test_a_night_on_postgresql_ends_like_one_on_sqlite(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_postgresql: Callable[[], AbstractContextManager[str]],
):
    run("nightly")
    expected = ModelRegistry(Settings.load().registry_folder).live().models
    with fresh_postgresql() as url:
        monkeypatch.setenv("RECSYS_DATABASE_URL", url)
        monkeypatch.setenv("RECSYS_HOME", str(home.parent / "other"))
        with Store.open(url) as store:
            migrations.upgrade(store.engine)
            store.add(history())
        assert run("nightly") == 0
        found = ModelRegistry(Settings.load().registry_folder).live().models
        assert found["als"][-12:] == expected["als"][-12:]
        with Store.open(url) as store:
            [night] = store.nights.recent(5)
            assert (night.status, night.decision) == ("done", "promote")
            assert len(store.lists("als", store.active_users(None, None, 1_000))) == 600
