"""kill -9 before every step that changes the disk: what is left is whole, and nothing marked comes to life."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from recsys.errors import Forgotten
from recsys.serving.registry import ModelRegistry

# The child works alone and ends without cleaning up; what other threads of the parent hold it never asks for.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

AT = "2026-03-01T02:00:00Z"
STEPS = ((os, "fsync"), (os, "unlink"), (os, "rmdir"), (Path, "rename"), (Path, "replace"), (Path, "unlink"))


def killed_before(step, work):
    """Do the work in a process of its own, killed before its step-th change of the disk. Was it?"""
    child = os.fork()
    if not child:
        left = [step]

        def guarded(original):
            def call(*arguments, **options):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **options)

            return call

        try:
            for owner, name in STEPS:
                setattr(owner, name, guarded(getattr(owner, name)))
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def whole(registry):
    """The live versions, after seeing that they are whole and that the next writer finds nothing half."""
    models = registry.live().models
    for version in registry.versions():
        registry.verify(version)
    registry.lift_hold()
    assert not list(registry.folder.rglob("*.partial*"))
    return models


def kept(registry, make_als):
    """Five versions: the third and fourth were live one after the other, the fourth is."""
    versions = registry.add([make_als(scale=1.0 + number) for number in range(5)])
    for version in versions[2:4]:
        registry.promote(version)
    return versions


def killed_everywhere(tmp_path, make_als, work, check):
    """Kill ``work`` before each of its steps; ``check`` what each leaves. Returns what the checks returned."""
    found = []
    for step in range(1, 100):
        registry = ModelRegistry(tmp_path / str(step))
        versions = kept(registry, make_als)
        killed = killed_before(step, lambda: work(registry, versions))  # noqa: B023  # it is over when this returns
        found.append(check(registry, versions))
        if not killed:
            assert step > 3, "nothing was killed"
            return found
    raise AssertionError("it never ended")


def test_going_live_is_before_or_after_wherever_it_is_killed(tmp_path, make_als):
    def check(registry, versions):
        return versions.index(whole(registry)["als"])

    found = killed_everywhere(tmp_path, make_als, lambda registry, v: registry.promote(v[4]), check)
    assert sorted(found) == found
    assert set(found) == {3, 4}


def test_going_back_comes_with_its_hold_wherever_it_is_killed(tmp_path, make_als):
    def check(registry, versions):
        held, live = registry.hold() is not None, versions.index(whole(registry)["als"])
        assert (held, registry.rolled_back()) in ((False, frozenset()), (True, {versions[3][-12:]}))
        return live, held

    found = killed_everywhere(tmp_path, make_als, lambda registry, _: registry.rollback(), check)
    assert set(found) == {(3, False), (2, True)}


def test_pruning_takes_whole_versions_wherever_it_is_killed_and_can_be_done_again(tmp_path, make_als):
    def check(registry, versions):
        assert whole(registry) == {"als": versions[3]}
        left = len(registry.versions())
        registry.prune(0)
        assert registry.versions() == versions[2:4]
        assert registry.rollback().models == {"als": versions[2]}
        return left

    found = killed_everywhere(tmp_path, make_als, lambda registry, _: registry.prune(0), check)
    assert sorted(found, reverse=True) == found
    assert set(found) == {5, 4, 3, 2}


def test_marks_are_all_there_or_none_and_nothing_marked_goes_live_wherever_it_is_killed(tmp_path, make_als):
    def work(registry, versions):
        registry.mark_forgotten("u1", AT)
        for version in versions:  # nobody may get past a mark
            with contextlib.suppress(Forgotten):
                registry.promote(version)

    def check(registry, versions):
        assert whole(registry) == {"als": versions[3]}
        assert set(registry.marks()) in (set(), set(versions))
        assert registry.forgettings() == bool(registry.marks())
        return len(registry.marks())

    found = killed_everywhere(tmp_path, make_als, work, check)
    assert set(found) == {0, 5}


def test_a_version_born_marked_is_never_there_without_its_mark(tmp_path, make_als):
    def work(registry, _):
        registry.add([make_als(scale=9.0)], forgettings=-1)

    def check(registry, versions):
        whole(registry)
        new = set(registry.versions()) - set(versions)
        assert new == set(registry.marks())
        return len(new)

    assert set(killed_everywhere(tmp_path, make_als, work, check)) == {0, 1}


def test_a_token_is_never_handed_out_twice_wherever_it_is_killed(tmp_path, make_als):
    def work(registry, _):
        registry.next_fence()
        (registry.folder / "handed").touch()

    def check(registry, _):
        token = registry.next_fence()
        assert token == 2 or not (registry.folder / "handed").exists()
        return token

    assert set(killed_everywhere(tmp_path, make_als, work, check)) == {1, 2}
