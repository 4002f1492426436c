"""Versions that may have learnt from somebody who was forgotten: marked, and never live again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsys.errors import AlreadyRunning, DamagedBundle, Forgotten
from recsys.panel import on_panel
from recsys.serving import locking
from recsys.serving.registry import ModelRegistry

AT = "2026-03-01T02:00:00Z"


@pytest.fixture
def three(registry, make_als):
    """Three versions, each put live after the other."""
    return [registry.publish([make_als(scale=scale)])[0] for scale in (1.0, 2.0, 3.0)]


def test_a_version_that_may_have_seen_somebody_forgotten_never_goes_live(registry, three, make_als):
    assert registry.mark_forgotten("u1", AT) == three
    assert registry.marks() == dict.fromkeys(three, AT)
    fresh = registry.add([make_als(scale=4.0)])[0]
    for act in (
        lambda: registry.promote(three[0]),
        lambda: registry.go_live([three[0]]),
        lambda: registry.go_live([fresh, three[0]], fence=registry.next_fence()),
    ):
        with pytest.raises(Forgotten, match=AT) as caught:
            act()
        assert fresh in caught.value.do
    assert registry.hold() is None
    with pytest.raises(Forgotten, match=AT):
        registry.rollback()
    assert registry.live().models == {"als": three[2]}
    assert registry.hold() is not None  # whoever wanted to go back wants no night to promote either
    registry.promote(fresh)  # the control


def test_what_is_live_and_marked_serves_on_beside_what_is_new(registry, make_als, make_popularity):
    registry.publish([make_als()])
    als, _ = registry.publish([make_als(scale=2.0), make_popularity()])
    registry.mark_forgotten("u1", AT)
    (other,) = registry.add([make_popularity(30.0)])
    assert registry.promote(als).models["als"] == als
    assert registry.promote(other).models == {"als": als, "popularity": other}
    with pytest.raises(Forgotten) as caught:
        registry.rollback()
    assert caught.value.do == "nights promote nothing now"  # and there is nothing else to promote


def test_going_back_to_a_version_that_is_live_already_is_no_coming_back(registry, make_als, make_popularity):
    (als,) = registry.publish([make_als()])
    registry.mark_forgotten("u1", AT)
    registry.publish([make_popularity()])
    assert registry.rollback().models == {"als": als}


def bundle_with_panel(bundle, share):
    bundle.card["panel"] = share
    return bundle


def test_only_versions_whose_panel_holds_the_person_are_left_unmarked(registry, make_als):
    people = [f"u{number}" for number in range(400)]
    at_tenth, at_half = on_panel(people, 0.1), on_panel(people, 0.5)
    always = people[at_tenth.argmax()]
    sometimes = people[(at_half & ~at_tenth).argmax()]
    never = people[(~at_half).argmax()]
    none, tenth, half = registry.add(
        [make_als(), *(bundle_with_panel(make_als(scale=2.0), share) for share in (0.1, 0.5))]
    )
    assert registry.mark_forgotten(always, AT) == [none]
    assert registry.mark_forgotten(sometimes, "2026-03-02T02:00:00Z") == [none, tenth]
    assert registry.marks() == {none: AT, tenth: "2026-03-02T02:00:00Z"}
    assert registry.mark_forgotten(never, AT) == [none, tenth, half]


@pytest.mark.parametrize("card", [b"", b"[]", b'{"panel": "x"}', b'{"panel": null}', b'{"panel": 7}', b"\xff"])
def test_of_a_version_whose_card_cannot_be_read_the_worst_is_taken(registry, make_als, card):
    (version,) = registry.add([bundle_with_panel(make_als(), 1.0)])
    assert registry.mark_forgotten("u1", AT) == []  # the control
    path = registry.folder / "versions" / version / "card.json"
    path.chmod(0o644)
    path.write_bytes(card)
    assert registry.mark_forgotten("u1", AT) == [version]


def test_marks_hold_no_trace_of_whom_they_are_about(registry, make_als):
    registry.publish([make_als()])
    registry.mark_forgotten("planted-id-4711", AT)
    registry.write_verdict(registry.versions()[0], {"decision": "keep"})
    files = [path for path in registry.folder.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not [path for path in files if b"planted-id-4711" in path.read_bytes() or "planted" in path.name]


def test_what_was_read_before_somebody_was_forgotten_is_marked_when_it_is_kept(registry, make_als):
    read = registry.forgettings()
    (before,) = registry.add([make_als()], forgettings=read)
    assert registry.marks() == {}
    registry.mark_forgotten("u1", AT)
    (late,) = registry.add([make_als(scale=2.0)], forgettings=read)
    assert registry.marks() == {before: AT, late: AT}
    (after,) = registry.add([make_als(scale=3.0)], forgettings=registry.forgettings())
    assert after not in registry.marks()


def test_the_content_of_a_marked_version_is_free_only_where_it_was_made_without_the_person(registry, make_als):
    (old,) = registry.publish([make_als()])
    registry.mark_forgotten("u1", AT)
    (undated,) = registry.add([make_als()])
    assert set(registry.marks()) == {old, undated}
    (anew,) = registry.add([make_als()], forgettings=registry.forgettings())
    assert anew not in registry.marks()
    assert registry.promote(anew).models == {"als": anew}
    assert registry.add([make_als()]) == [anew]


def test_marks_that_cannot_be_read_stop_everything_but_what_serves(registry, three):
    registry.mark_forgotten("u1", AT)
    (registry.folder / "marks.json").write_text("{")
    for act in (registry.rollback, registry.marks, lambda: registry.promote(three[0])):
        with pytest.raises(DamagedBundle, match="forgotten"):
            act()
    assert registry.live().models == {"als": three[2]}


def test_marking_waits_for_whoever_is_writing_and_not_for_ever(registry, make_als, monkeypatch):
    (version,) = registry.add([make_als()])
    waited, sleep = threading.Event(), time.sleep
    monkeypatch.setattr(locking.time, "sleep", lambda seconds: (waited.set(), sleep(seconds))[1])
    with ThreadPoolExecutor(1) as pool:
        with locking.locked(registry.folder, 0):
            marking = pool.submit(ModelRegistry(registry.folder, patience=60).mark_forgotten, "u1", AT)
            assert waited.wait(20)
            assert registry.marks() == {}
            with pytest.raises(AlreadyRunning):
                ModelRegistry(registry.folder, patience=0).mark_forgotten("u2", AT)
        assert marking.result(20) == [version]
    assert registry.marks() == {version: AT}


def test_a_rollback_goes_past_what_is_marked_to_what_is_not(registry, make_als, make_popularity, monkeypatch):
    first, second, third = (registry.publish([make_als(scale=scale)])[0] for scale in (1.0, 2.0, 3.0))
    monkeypatch.setattr(ModelRegistry, "may_know", lambda self, version, user: version == second)
    assert registry.mark_forgotten("u1", AT) == [second]
    assert registry.rollback().models == {"als": first}
    assert registry.live().models == {"als": first}
    assert third[-12:] in registry.rolled_back()


def test_a_rollback_past_what_is_marked_does_not_end_at_what_is_live(registry, make_als):
    first, second = (registry.publish([make_als(scale=scale)])[0] for scale in (1.0, 2.0))
    for version in (first, second):
        registry.promote(version)
    assert registry.mark_forgotten("u1", AT) == [first, second]
    with pytest.raises(Forgotten):
        registry.rollback()
    assert registry.live().models == {"als": second}
