"""What decides beside the figures: a person who went back, somebody forgotten, anchors, a champion that is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.gate.rules import Rules
from recsys.interactions import Interactions
from tests.recsys.night.test_kills import LAX
from tests.recsys.night.world import MemoryWorld, history, without


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    return MemoryWorld(tmp_path)


def test_a_challenger_with_other_data_is_judged_beside_the_champion(world: MemoryWorld):
    world.night()
    world.interactions = history(700, seed=1)
    outcome = world.night()
    verdict = outcome.facts["verdicts"]["ease"]
    assert verdict["people"] > 0
    assert verdict["figures"]
    assert world.ledger.verdicts[-1]["level"] > 0
    assert world.registry.verdict(verdict["challenger"])["decision"] == verdict["decision"]
    assert (world.live()["ease"] == verdict["challenger"]) == (verdict["decision"] == "promote")


def test_beside_a_champion_that_cannot_be_read_nothing_is_promoted(world: MemoryWorld):
    world.night()
    before = world.live()
    arrays = world.registry.folder / "versions" / before["ease"] / "model.safetensors"
    arrays.chmod(0o644)
    arrays.write_bytes(arrays.read_bytes()[:-1])
    world.interactions = history(700, seed=1)
    outcome = world.night()
    assert outcome.decision == "inconclusive"
    assert "cannot be compared with" in outcome.reason
    assert world.live() == before


def test_after_a_rollback_nothing_goes_live_by_itself(world: MemoryWorld):
    world.night()
    first = world.live()
    world.interactions = history(700, seed=1)
    world.registry.go_live([world.night(dry_run=False).facts["verdicts"]["ease"]["challenger"]])
    assert world.live() != first
    bad = world.live()["ease"]
    world.registry.rollback()
    assert world.live() == first
    again = world.night()  # of the same data, so it makes the very version that was rolled back
    assert world.live() == first
    assert again.facts["verdicts"]["ease"]["challenger"][-12:] == bad[-12:]
    assert "rolled back" in again.reason
    world.interactions = history(800, seed=1)
    lax = Rules(margin=0.5, alpha=0.5, coverage=0.9, popularity_lift=9.0, cold=0.9, tail=0.9)
    held = world.night(rules=lax)
    assert (held.decision, "On its own merits: promote" in held.reason) == ("keep", True)
    assert world.live() == first
    world.registry.lift_hold()
    world.interactions = history(900, seed=1)
    assert world.night(rules=lax).decision == "promote"
    assert world.live() != first


def test_a_version_that_was_rolled_back_is_not_removed_by_the_night_that_makes_it_again(world: MemoryWorld):
    world.night(rules=LAX)
    world.interactions = history(700, seed=1)
    assert world.night(rules=LAX).decision == "promote"
    bad = world.live()["ease"]
    world.registry.rollback()
    world.registry.lift_hold()
    assert world.night(rules=LAX).decision == "refused"
    assert bad in world.registry.versions()


def test_a_live_version_that_knew_somebody_forgotten_gives_way_to_one_that_is_not_shown_to_be_worse(world: MemoryWorld):
    world.night()
    first = world.live()
    world.interactions = history(700, seed=1)
    assert world.night().decision == "inconclusive"  # the control: without a mark it stays
    assert world.live() == first
    world.registry.mark_forgotten("person-0004", "2026-01-01T00:00:00Z")
    world.interactions, world.left = without(history(700, seed=3), "person-0004"), 1
    outcome = world.night()
    assert outcome.decision == "promote"
    assert "somebody who was forgotten at 2026-01-01" in outcome.reason
    assert world.live() != first


def test_the_anchor_of_what_is_live_is_kept_however_few_versions_are(world: MemoryWorld):
    world.night(rules=LAX)
    anchor = world.live()["ease"]
    for seed in (1, 2, 3):
        world.interactions = history(700, seed=seed)
        found = world.night(rules=LAX, keep=1)
        assert found.decision == "promote", found.reason
        if found.facts["verdicts"]["ease"]["anchor"] != anchor:
            anchor = found.facts["verdicts"]["ease"]["anchor"]
    assert anchor in world.registry.versions()
    assert anchor not in world.registry.prunable(0)


def test_an_anchor_that_cannot_be_loaded_is_told_and_the_champion_takes_its_place(world: MemoryWorld):
    world.night(rules=LAX)
    world.interactions = history(700, seed=1)
    world.night(rules=LAX)
    live = world.live()["ease"]
    told = world.registry.verdict(live)
    assert told is not None
    world.registry.write_verdict(live, {**told, "anchor": "20260101T000000000000Z-ease-0123456789ab"})
    world.interactions = history(750, seed=2)
    assert world.night(rules=LAX).facts["verdicts"]["ease"]["decision"] == "promote"
    assert any("the anchor" in line for line in world.lines)


def test_what_nobody_could_be_asked_about_does_not_go_live_even_after_a_forgetting(world: MemoryWorld):
    world.interactions = short(history(700))
    world.registry.promote(world.night(rules=LAX).facts["verdicts"]["ease"]["challenger"])
    first = world.live()
    world.registry.mark_forgotten("person-0004", "2026-01-01T00:00:00Z")
    world.interactions = short(history(700, seed=1))
    outcome = world.night(rules=LAX)
    assert outcome.decision == "inconclusive"
    assert world.live() == first


def short(interactions: Interactions) -> Interactions:
    """Four events a person: too few to hide one of them."""
    return interactions.take(np.arange(len(interactions)) % 12 < 4)


def test_what_a_person_put_live_begins_a_new_run_of_not_worse(world: MemoryWorld):
    world.night()
    first = world.live()["ease"]
    world.interactions = history(700, seed=1)
    kept = world.night().facts["verdicts"]["ease"]
    assert (kept["decision"], kept["anchor"]) == ("inconclusive", first)
    world.registry.promote(kept["challenger"])
    world.interactions = history(750, seed=2)
    assert world.night().facts["verdicts"]["ease"]["anchor"] == kept["challenger"]


def test_an_anchor_that_knew_somebody_forgotten_is_none_any_more(world: MemoryWorld):
    world.night(rules=LAX)
    world.interactions = history(700, seed=1)
    world.night(rules=LAX)
    live = world.live()["ease"]
    old = (world.registry.verdict(live) or {})["anchor"]
    world.registry.mark_forgotten("person-0004", "2026-01-01T00:00:00Z")
    world.interactions, world.left = without(history(750, seed=2), "person-0004"), 1
    found = world.night(rules=LAX).facts["verdicts"]["ease"]
    assert found["decision"] == "promote"
    assert (found["champion"], found["anchor"]) == (live, live)
    assert old != live


def test_a_first_version_that_is_not_good_enough_is_told_as_one(world: MemoryWorld):
    world.interactions = short(history(700))
    outcome = world.night()
    assert outcome.decision == "inconclusive"
    assert "There is no champion" in outcome.reason
    assert "nothing is live yet" in outcome.facts["steps"][-3]["detail"]
