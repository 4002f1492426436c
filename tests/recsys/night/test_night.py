"""The night as a whole: what it puts live, what it leaves as it is, and what it says."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import AlreadyRunning, DataError, Fenced, NoModel, RecsysError, StoreError
from recsys.models import linear
from recsys.night.lock import NightLock
from recsys.night.run import MOST_STARTS
from recsys.panel import on_panel
from tests.recsys.night.test_lock import make_silent
from tests.recsys.night.world import MemoryWorld, history, without


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    return MemoryWorld(tmp_path)


def digests(world: MemoryWorld) -> dict[str, str]:
    return {name: version[-12:] for name, version in world.live().items()}


def test_the_first_night_publishes_what_is_sound(world: MemoryWorld):
    outcome = world.night(models={"ease": {}, "als": {"factors": 8}})
    assert outcome.decision == "promote", outcome.reason
    assert set(world.live()) == {"ease", "als"}
    assert outcome.exit_status == 0
    [night] = world.ledger.nights
    assert (night["status"], night["decision"]) == ("done", "promote")
    assert [name for name, status in world.ledger.steps if status == "done"] == [
        "snapshot",
        "checks",
        "matrix",
        "train ease",
        "train als",
        "judge ease",
        "judge als",
        "publish",
        "lists",
        "report",
    ]
    assert {one["status"] for one in world.told} == {"done"}
    json.dumps(outcome.facts, allow_nan=False)


def test_a_night_without_news_keeps_what_is_live_and_spends_nothing(world: MemoryWorld):
    world.night()
    before = world.live()
    outcome = world.night()
    assert outcome.decision == "keep"
    assert "byte for byte" in outcome.reason
    assert world.live() == before
    assert world.ledger.verdicts[-1]["level"] == 0
    assert world.registry.versions() == list(before.values())


def test_the_people_it_judges_by_are_in_no_version(world: MemoryWorld):
    world.night()
    people = [str(id_) for id_ in world.interactions.user.labels]
    card = world.registry.card(world.live()["ease"])
    assert card["panel"] == 0.1
    assert card["data"]["users"] == len(people) - on_panel(people, 0.1).sum()


def test_weights_that_are_no_numbers_are_refused_by_name(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch):
    world.night()
    before = world.live()
    fit = linear.EASE.fit

    def broken(self, matrix, options):
        fit(self, matrix, options)
        self.state()["weights"][3, 4] = np.nan
        return self

    monkeypatch.setattr(linear.EASE, "fit", broken)
    world.interactions = history(seed=2)
    outcome = world.night()
    assert outcome.decision == "refused"
    assert outcome.exit_status == 1
    assert "not finite" in outcome.reason
    assert world.live() == before


def test_data_that_went_missing_stop_the_night_and_can_be_accepted(world: MemoryWorld):
    world.night()
    before = world.live()
    world.interactions = history(300)
    with pytest.raises(DataError, match="events do not go missing"):
        world.night()
    assert world.live() == before
    assert world.ledger.nights[-1]["status"] == "failed"
    assert world.told[-1]["status"] == "failed"
    assert world.night(accept_data=True).facts["checks"][1]["status"] == "fail"


@pytest.mark.parametrize(
    "error",
    [StoreError("the database is gone"), MemoryError("no room"), OSError(errno.ENOSPC, "No space left on device")],
)
def test_what_fails_is_named_and_leaves_the_live_model_alone(world: MemoryWorld, error: Exception):
    world.night()
    before = world.live()

    def fail() -> None:
        raise error

    world.on_read = fail
    with pytest.raises(RecsysError):
        world.night()
    assert world.live() == before
    assert world.ledger.nights[-1]["status"] == "failed"
    assert world.ledger.nights[-1]["reason"].startswith("snapshot: ")
    assert ("snapshot", "failed") in world.ledger.steps
    assert NightLock(world.folder / "night").holder() is None
    world.on_read = lambda: None
    assert world.night().facts["status"] == "done"


def test_one_person_or_none_is_a_named_error(world: MemoryWorld):
    world.interactions = history(1)
    with pytest.raises(DataError, match="fewer than 200 people"):
        world.night()
    world.interactions = history(0)
    with pytest.raises(DataError):
        world.night()
    with pytest.raises(NoModel):
        world.live()


def test_a_dry_run_changes_nothing(world: MemoryWorld):
    world.night()
    before, versions = world.live(), world.registry.versions()
    ledger = (len(world.ledger.nights), len(world.ledger.verdicts), len(world.told), len(world.reported))
    world.interactions = history(700, seed=1)
    outcome = world.night(dry_run=True)
    assert outcome.facts["verdicts"]["ease"]["people"] > 0
    assert (world.live(), world.registry.versions()) == (before, versions)
    now = (len(world.ledger.nights), len(world.ledger.verdicts), len(world.told), len(world.reported))
    assert now == ledger
    assert not (world.folder / "night" / "dry").exists()


def test_a_registry_that_others_write_to_all_the_time_is_no_second_night(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
):
    world.night()
    world.interactions = history(700, seed=1)
    monkeypatch.setattr(type(world.registry), "add", lambda *_, **__: raised(AlreadyRunning("another is publishing")))
    with pytest.raises(StoreError, match="the models are in use") as caught:
        world.night()
    assert caught.value.exit_status == 1
    assert (world.folder / "night" / "work" / "journal.json").exists()  # to go on from
    monkeypatch.undo()
    world.night()
    assert "matrix: done before the interruption" in world.lines


def raised(error: Exception) -> None:
    raise error


def test_who_is_forgotten_while_it_learns_is_in_no_version(world: MemoryWorld):
    gone = "person-0004"
    starts: list[int] = []

    def leave(model: str) -> None:
        starts.append(1)
        if len(starts) == 1:
            world.interactions, world.left = without(world.interactions, gone), 1

    world.on_fit = leave
    world.night()
    assert len(starts) == 2
    alone = MemoryWorld(world.folder / "never", without(history(), gone))
    alone.night()
    assert digests(world) == digests(alone)
    assert len(world.registry.versions()) == 1


def test_when_people_keep_leaving_it_ends_without_a_new_version(world: MemoryWorld):
    def leave(model: str) -> None:
        world.left += 1

    world.on_fit = leave
    with pytest.raises(Exception, match="forgotten"):
        world.night()
    assert world.registry.versions() == []
    assert sum(step == ("snapshot", "done") for step in world.ledger.steps) == MOST_STARTS


def test_one_that_was_taken_for_dead_publishes_nothing(world: MemoryWorld):
    world.night()
    before = world.live()
    world.interactions = history(700, seed=1)
    folder = world.folder / "night"
    slow, other = NightLock(folder, stuck=100), NightLock(folder, stuck=100)
    entered = []

    def stop(model: str) -> None:
        make_silent(folder, 101)
        taken = other.held(take_over=True)
        taken.__enter__()
        entered.append(taken)
        world.registry.next_fence()

    world.on_fit = stop
    with pytest.raises(Fenced):
        world.night(lock=slow)
    assert world.live() == before
    entered[0].__exit__(None, None, None)


def test_the_alarm_names_the_one_that_is_stuck(world: MemoryWorld):
    folder = world.folder / "night"
    with NightLock(folder, stuck=100).held():
        make_silent(folder, 101)
        world.night(lock=NightLock(folder, stuck=100))
    assert world.told[0]["status"] == "stuck"
    assert world.lines[0].startswith("alarm: ")
