"""What the pointer remembers, and what counts as a new version or a new release."""

from __future__ import annotations

import json

import pytest

from recsys.errors import DamagedBundle


def break_one_byte(registry, version, name="model.safetensors"):
    path = registry.folder / "versions" / version / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_the_same_content_is_the_same_version_with_the_time_at_which_it_came_to_be(registry, make_als, make_popularity):
    (first,) = registry.add([make_als()])
    assert registry.add([make_als(), make_popularity()])[0] == first
    assert registry.publish([make_als()]) == [first]
    assert registry.add([make_als(scale=2.0)]) != [first]
    assert len(registry.versions()) == 3


@pytest.mark.parametrize("name", ["model.safetensors", "card.json", "manifest.json"])
def test_a_damaged_version_is_not_taken_for_the_same_content(registry, make_als, name):
    (first,) = registry.add([make_als()])
    break_one_byte(registry, first, name)
    (second,) = registry.add([make_als()])
    assert second != first
    assert second[-12:] == first[-12:]
    assert registry.publish([make_als()]) == [second]


def test_what_changes_nothing_is_no_new_release_so_that_a_rollback_always_goes_back(registry, make_als):
    first, second = (registry.publish([make_als(scale=s)])[0] for s in (1.0, 2.0))
    registry.promote(second)
    registry.publish([make_als(scale=2.0)])
    assert registry.live().sequence == 2
    assert registry.rollback().models == {"als": first}


def test_a_pointer_of_an_older_recsys_is_read(registry, make_als):
    first, second = registry.add([make_als(), make_als(scale=2.0)])
    releases = [{"sequence": k, "models": {"als": v}, "default": "als"} for k, v in ((1, first), (2, second))]
    registry.pointer.write_text(json.dumps({"releases": releases}))
    assert registry.live().models == {"als": second}
    assert (registry.hold(), registry.rolled_back()) == (None, frozenset())
    assert registry.rollback().models == {"als": first}
    assert registry.hold().versions == (second,)


@pytest.mark.parametrize("more", [{"hold": 3}, {"hold": {"since": "now"}}, {"rolled_back": 1}])
def test_a_hold_that_cannot_be_read_is_not_taken_for_none(registry, make_als, more):
    registry.publish([make_als()])
    registry.pointer.write_text(json.dumps({**json.loads(registry.pointer.read_text()), **more}))
    for ask in (registry.hold, registry.live, registry.rolled_back):
        with pytest.raises(DamagedBundle, match="pointer"):
            ask()
