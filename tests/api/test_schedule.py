"""The embedded clock: which times it takes, and that it starts and ends a night."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api import schedule
from api.schedule import clock_time, nightly
from recsys.errors import SettingError
from tests.threads import until

NIGHT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open(os.environ["FOLDER"] + "/ended", "w").close(), sys.exit(143)))
open(os.environ["FOLDER"] + "/started", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize(("text", "found"), [("03:00", (3, 0)), ("3:05", (3, 5)), ("23:59", (23, 59))])
def test_times_of_day_are_read(text: str, found: tuple[int, int]):
    assert clock_time(text) == found


@pytest.mark.parametrize("text", ["", "24:00", "3", "03:60", "noon", "03:00:00", "-1:00"])
def test_what_is_no_time_of_day_is_refused(text: str):
    with pytest.raises(SettingError, match="not a time of day"):
        clock_time(text)


def test_it_starts_a_night_at_its_time_and_ends_it_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    popen, commands = schedule.subprocess.Popen, []

    def start(command: list[str], env: dict[str, str]) -> Any:
        commands.append(command)
        return popen([sys.executable, "-c", NIGHT], env=env)

    monkeypatch.setattr(schedule.subprocess, "Popen", start)
    monkeypatch.setattr(schedule, "_trigger", lambda at: {"trigger": "date", "run_date": datetime.now()})
    with nightly("03:00", {**os.environ, "FOLDER": str(tmp_path)}):
        until((tmp_path / "started").exists)
    assert (tmp_path / "ended").exists()
    assert commands == [[sys.executable, "-m", "api.cli", "nightly", "--once"]]


def test_it_starts_nothing_before_its_time(monkeypatch: pytest.MonkeyPatch):
    started: list[Any] = []
    monkeypatch.setattr(schedule.subprocess, "Popen", lambda *a, **k: started.append(a))
    soon = datetime.now() + timedelta(hours=2)
    with nightly(f"{soon:%H:%M}", dict(os.environ)):
        pass
    assert not started
