"""A night that is killed: wherever that was, the next one ends as an undisturbed one would have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recsys.errors import Fenced
from recsys.gate.rules import Rules
from recsys.night.lock import NightLock
from recsys.panel import on_panel
from tests.recsys.night.test_lock import make_silent
from tests.recsys.night.world import Kill, Killer, MemoryWorld, history, without

# Nearly anything that beats popularity may go live, so that there is something to publish.
LAX = Rules(margin=0.9, alpha=0.5, coverage=0.9, popularity_lift=9.0, cold=0.9, tail=0.9, latency=1000.0, size=1000.0)


def begun(folder: Path) -> MemoryWorld:
    """A world with a live release, and news since."""
    world = MemoryWorld(folder)
    world.night(models={"ease": {}}, rules=LAX)
    world.interactions = history(700, seed=1)
    return world


def outcome(world: MemoryWorld) -> dict[str, Any]:
    """What a night leaves, but for times."""
    night = world.ledger.nights[-1]
    verdicts = [(one["model"], one["decision"], one["level"]) for one in world.ledger.verdicts]
    return {
        "status": night["status"],
        "verdicts": sorted(verdicts),
        "live": {name: version[-12:] for name, version in world.live().items()},
        "kept": sorted(version[-12:] for version in world.registry.versions()),
        "at work": NightLock(world.folder / "night").holder(),
        "left": sorted(path.name for path in (world.folder / "night").glob("work*")),
    }


def run(world: MemoryWorld) -> None:
    world.night(models={"ease": {}}, rules=LAX)


def writes(folder: Path) -> tuple[dict[str, Any], int]:
    """(what an undisturbed night leaves, how many writes it makes)."""
    world = begun(folder)
    with pytest.MonkeyPatch.context() as patch:
        counting = Killer(patch, world, None)
        run(world)
    found = outcome(world)
    assert found["live"] != {"ease": found["kept"][0]} or len(found["kept"]) == 2
    assert [decision for _, decision, _ in found["verdicts"]] == ["promote", "promote"]
    return found, counting.writes


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_killed_at_any_write_it_ends_with_the_same_bytes_and_verdicts(tmp_path: Path, after: bool):
    expected, count = writes(tmp_path / "undisturbed")
    assert count > 25
    struck = set()
    for at in range(count):
        world = begun(tmp_path / str(at))
        with pytest.MonkeyPatch.context() as patch:
            killer = Killer(patch, world, at, after)
            with pytest.raises(Kill):
                run(world)
        assert killer.struck is not None
        struck.add(killer.struck)
        ended = after and killer.struck == "MemoryLedger.end"
        run(world)
        found = outcome(world)
        if ended or killer.struck == "Journal.clear":  # it was over: what came then was a night without news
            assert found["live"] == expected["live"], killer.struck
            continue
        assert found == expected, (at, killer.struck)
    assert {"Journal.ended", "ModelRegistry.go_live", "ModelRegistry.add", "MemoryLedger.verdict"} <= struck


@pytest.mark.parametrize("at", ["train ease", "judge ease", "publish"])
def test_who_is_forgotten_after_the_kill_is_in_no_version_of_the_next_night(tmp_path: Path, at: str):
    gone = next(f"person-{n:04d}" for n in range(700) if not on_panel([f"person-{n:04d}"], 0.1)[0])
    world = begun(tmp_path / "killed")
    with pytest.MonkeyPatch.context() as patch:
        began = world.ledger.step

        def die(night: int, name: str, status: str, *more: Any) -> None:
            began(night, name, status, *more)
            if (name, status) == (at, "running"):
                raise Kill(name)

        patch.setattr(world.ledger, "step", die)
        with pytest.raises(Kill):
            run(world)
    world.registry.mark_forgotten(gone, "2026-01-01T00:00:00Z")
    world.interactions, world.left = without(world.interactions, gone), 1
    run(world)
    never = MemoryWorld(tmp_path / "never")
    never.night(models={"ease": {}}, rules=LAX)
    never.interactions = without(history(700, seed=1), gone)
    run(never)
    assert outcome(world)["live"] == outcome(never)["live"]
    assert not set(world.live().values()) & set(world.registry.marks())


def test_what_a_person_publishes_between_verdict_and_publication_is_judged_beside(tmp_path: Path):
    world = begun(tmp_path)
    theirs = world.registry.load(world.live()["ease"])
    with pytest.MonkeyPatch.context() as patch:
        began, calls = world.ledger.step, []

        def meddle(night: int, name: str, status: str, *more: Any) -> None:
            began(night, name, status, *more)
            if (name, status) == ("publish", "running") and not calls:
                calls.append(1)
                other = MemoryWorld(tmp_path / "other", history(650, seed=2))
                other.night(models={"ease": {}}, rules=LAX)
                world.registry.publish([other.registry.load(other.live()["ease"])])

        patch.setattr(world.ledger, "step", meddle)
        published = world.night(models={"ease": {}}, rules=LAX)
    champion = published.facts["verdicts"]["ease"]["champion"]
    assert calls
    assert champion is not None
    assert champion[-12:] != theirs.digest[:12]
    assert sum(step == ("judge ease", "done") for step in world.ledger.steps) == 3  # one of the night before


def test_the_registry_refuses_one_that_was_taken_for_dead_just_before_it_publishes(tmp_path: Path):
    world = begun(tmp_path)
    before = world.live()
    with pytest.MonkeyPatch.context() as patch:
        go_live = type(world.registry).go_live

        def late(registry: Any, *arguments: Any, **options: Any) -> Any:
            registry.next_fence()  # another night has begun in this very moment
            return go_live(registry, *arguments, **options)

        patch.setattr(type(world.registry), "go_live", late)
        with pytest.raises(Fenced, match="another night has begun"):
            run(world)
    assert world.live() == before


def test_one_that_wakes_after_another_took_over_writes_nothing_more(tmp_path: Path):
    world = begun(tmp_path)
    folder = world.folder / "night"
    woken: list[int] = []

    def sleep(model: str) -> None:
        if woken:
            return
        woken.append(1)
        make_silent(folder, 101)
        world.night(models={"ease": {}}, rules=LAX, lock=NightLock(folder, stuck=100))  # takes over and ends

    world.on_fit = sleep
    with pytest.raises(Fenced):
        world.night(models={"ease": {}}, rules=LAX, lock=NightLock(folder, stuck=100))
    left = outcome(world)
    assert (left["left"], left["at work"]) == ([], None)
    assert left["status"] == "done"
    world.interactions = history(750, seed=1)
    assert world.night(models={"ease": {}}, rules=LAX).facts["data"]["users"] == 750
