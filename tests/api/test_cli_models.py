"""recsys models at the command line: what is live, what was held, what goes, and what differs between versions."""

from __future__ import annotations

import json

import pytest

AT = "2026-03-01T02:00:00Z"


@pytest.fixture
def models(run, home, settings):
    """models(...): call ``recsys models ...`` on a home with data."""
    return lambda *arguments: run("--home", str(home), "models", *arguments)


@pytest.fixture
def two(registry, make_bundle):
    return [registry.publish([make_bundle(scale)])[0] for scale in (1.0, 2.0)]


def test_a_rollback_says_that_nights_wait_and_resuming_says_that_they_do_not(models, registry, two):
    outcome = models("rollback")
    assert (outcome.status, two[0] in outcome.err) == (0, True)
    assert "recsys models resume" in outcome.err
    listed = models("list")
    assert "held since" in listed.err
    assert two[1] in listed.err
    assert models("list", "--json").status == 0
    assert "promote again" in models("resume").err
    assert registry.hold() is None
    assert "nothing was held" in models("resume").err
    assert "held" not in models("list").err


def test_promoting_after_a_rollback_says_that_nights_promote_again(models, two):
    models("rollback")
    assert "nights promote again" in models("promote", two[1]).err
    assert "nights" not in models("promote", two[0]).err


def test_the_list_tells_live_from_previous_and_what_is_marked_and_decided(models, registry, two):
    registry.write_verdict(two[1], {"decision": "promote", "reason": "it is better"})
    registry.mark_forgotten("u1", AT)
    lines = {version: next(line for line in models("list").out.splitlines() if version in line) for version in two}
    assert " live " in lines[two[1]]
    assert " promote " in lines[two[1]]
    assert " previous " in lines[two[0]]
    assert all(AT in line for line in lines.values())
    shown = json.loads(models("show", two[1]).out)
    assert (shown["marked"], shown["verdict"]["reason"]) == (AT, "it is better")
    assert shown["model"] == "als"


def test_a_version_that_saw_somebody_forgotten_is_refused_in_three_lines(models, registry, two):
    registry.mark_forgotten("u1", AT)
    for arguments in (("promote", two[0]), ("rollback",)):
        outcome = models(*arguments)
        assert outcome.status == 1
        assert outcome.err.startswith(f"error: {two[0]} may have learnt from somebody who was forgotten at {AT}")
        assert f"do: {'the next night' if arguments[0] == 'promote' else 'nights promote nothing now'}" in outcome.err
    assert registry.live().models == {"als": two[1]}


def test_pruning_says_what_would_go_and_then_removes_it(models, registry, two, make_bundle):
    others = registry.add([make_bundle(scale) for scale in (3.0, 4.0, 5.0)])
    would = models("prune", "--keep", "1", "--dry-run")
    assert [version in would.err for version in (*two, *others)] == [False, False, True, True, False]
    assert len(registry.versions()) == 5
    assert json.loads(models("prune", "--json").out) == {"removed": True, "versions": []}  # seven are kept
    done = json.loads(models("prune", "--keep", "1", "--json").out)
    assert done == {"removed": True, "versions": others[:2]}
    assert registry.versions() == [*two, others[2]]
    assert models("prune", "--keep", "-1").status == 2


@pytest.fixture
def turned(registry, make_bundle, two):
    """A version in which a2 and b0 have changed places."""
    from recsys.matrix import Index
    from recsys.serving.bundle import ModelBundle

    plain = make_bundle(1.0)
    items = Index.of(["a0", "a1", "b0", "a3", "a2", "b1", "b2", "b3"], "item")
    card = {**plain.card, "data": {"until": 1_700_000_000_000_000, "users": 7}}
    return registry.add([ModelBundle(plain.model, items, plain.popularity, card)])[0]


def test_a_list_that_changed_is_explained(models, two, turned):
    outcome = models("diff", two[0], turned, "--user", "u1", "-n", "2")
    assert outcome.status == 0
    assert "1 of 2 items stay" in outcome.err
    assert any(all(part in line for part in ("Title of b0", "entered", "b0")) for line in outcome.out.splitlines())
    assert "Title of b0 came to place" in outcome.err
    assert "Title of a1" in outcome.err, "what speaks for it"
    assert "left place" in outcome.err
    assert "data until: not said in V1, 2023-11-14T22:13:20Z in V2" in outcome.err


def test_a_difference_for_machines_is_one_document(models, two, turned):
    found = json.loads(models("diff", two[0], turned, "--user", "u1", "-n", "2", "--json").out)
    assert (found["user"], found["versions"], found["stayed"]) == ("u1", [two[0], turned], 1)
    assert {row["item"]: row["change"] for row in found["rows"]}["b0"] == "entered"
    assert found["titles"]["b0"] == "Title of b0"


def test_versions_that_answer_alike_are_said_to(models, two):
    outcome = models("diff", *two, "--user", "u1", "-n", "3")
    assert "3 of 3 items stay" in outcome.err
    assert "place" not in outcome.err


def test_whom_or_what_nobody_knows_is_named(models, two):
    assert "unknown user: 'nobody'" in models("diff", *two, "--user", "nobody").err
    outcome = models("diff", two[0], "20260101T000000000000Z-als-0123456789ab", "--user", "u1")
    assert (outcome.status, "no model version" in outcome.err) == (1, True)
    assert models("diff", *two).status == 2
