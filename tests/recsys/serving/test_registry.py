"""The registry: whole releases, one pointer, no half states."""

import contextlib
import fcntl
import multiprocessing
import os
from pathlib import Path

import pytest

from recsys.errors import AlreadyRunning, DamagedBundle, NoModel, StoreError
from recsys.serving.registry import ModelRegistry


def break_one_byte(registry, version, name="model.safetensors"):
    path = registry.folder / "versions" / version / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_nothing_published_says_so(registry):
    with pytest.raises(NoModel, match="no model has been published"):
        registry.live()
    assert registry.versions() == []
    assert registry.describe() == []
    assert registry.stamp() is None


def test_publishing_puts_every_bundle_live_at_once(registry, make_als, make_popularity):
    als, popularity = registry.publish([make_als(), make_popularity()])
    release = registry.live()
    assert release.models == {"als": als, "popularity": popularity}
    assert release.default == "als"
    assert release.sequence == 1
    assert registry.load(als).name == "als"


def test_versions_sort_by_age_and_name_their_model(registry, make_als, make_popularity):
    made = [registry.publish([make_als(scale=s)])[0] for s in (1.0, 2.0, 3.0)] + registry.publish([make_popularity()])
    assert registry.versions() == made == sorted(made)
    assert [row["version"] for row in registry.describe()] == made[::-1]
    assert [row["live"] for row in registry.describe()] == [True, True, False, False]
    assert "-als-" in made[0]


def test_a_model_that_is_not_published_again_stays_live(registry, make_als, make_popularity):
    old_als, popularity = registry.publish([make_als(), make_popularity()])
    (new_als,) = registry.publish([make_als(scale=2.0)])
    assert registry.live().models == {"als": new_als, "popularity": popularity}
    assert new_als != old_als


def test_added_versions_are_kept_but_not_live_until_promoted(registry, make_als):
    (version,) = registry.add([make_als()])
    with pytest.raises(NoModel):
        registry.live()
    registry.promote(version)
    assert registry.live().models == {"als": version}


def test_rollback_restores_the_release_before_step_by_step(registry, make_als):
    first, second, third = (registry.publish([make_als(scale=s)])[0] for s in (1.0, 2.0, 3.0))
    assert registry.live().models == {"als": third}
    assert registry.rollback().models == {"als": second}
    assert registry.rollback().models == {"als": first}
    with pytest.raises(NoModel, match="no release before"):
        registry.rollback()
    assert registry.live().models == {"als": first}


def test_every_change_raises_the_sequence_and_the_stamp(registry, make_als):
    registry.publish([make_als()])
    seen = [(registry.live().sequence, registry.stamp())]
    (version,) = registry.publish([make_als(scale=2.0)])
    seen.append((registry.live().sequence, registry.stamp()))
    registry.rollback()
    seen.append((registry.live().sequence, registry.stamp()))
    registry.promote(version)
    seen.append((registry.live().sequence, registry.stamp()))
    assert [sequence for sequence, _ in seen] == [1, 2, 3, 4]
    assert len({stamp for _, stamp in seen}) == 4


@pytest.mark.parametrize("name", ["model.safetensors", "card.json", "manifest.json"])
def test_a_damaged_candidate_is_not_promoted(registry, make_als, name):
    (live,) = registry.publish([make_als()])
    (candidate,) = registry.add([make_als(scale=2.0)])
    break_one_byte(registry, candidate, name)
    with pytest.raises(DamagedBundle):
        registry.promote(candidate)
    with pytest.raises(DamagedBundle):
        registry.verify(candidate)
    assert registry.live().models == {"als": live}


def test_rollback_to_a_damaged_version_is_refused(registry, make_als):
    first, second = (registry.publish([make_als(scale=s)])[0] for s in (1.0, 2.0))
    break_one_byte(registry, first)
    with pytest.raises(DamagedBundle):
        registry.rollback()
    assert registry.live().models == {"als": second}


def test_a_version_under_another_name_is_refused(registry, make_als):
    first, second = registry.add([make_als(), make_als(scale=2.0)])
    folder = registry.folder / "versions"
    (folder / first).rename(folder / "moved")
    (folder / second).rename(folder / first)
    with pytest.raises(DamagedBundle, match="another model than its name"):
        registry.load(first)


@pytest.mark.parametrize(
    "version", ["", ".", "..", "../..", "/etc", "a\x00b", "20260101T000000000000Z-als-0123456789ab"]
)
def test_a_version_that_is_not_there_is_refused_by_name(registry, make_als, version):
    registry.publish([make_als()])
    for action in (registry.load, registry.verify, registry.promote, registry.card):
        with pytest.raises(NoModel, match="no model version"):
            action(version)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"null", b'{"releases": []}', b'{"releases": [{"sequence": 1}]}', b"\xff"]
)
def test_a_damaged_pointer_is_named(registry, make_als, content):
    registry.publish([make_als()])
    registry.pointer.write_bytes(content)
    with pytest.raises(DamagedBundle, match="pointer"):
        registry.live()


def test_a_pointer_cannot_name_a_place_elsewhere(registry, make_als):
    registry.publish([make_als()])
    registry.pointer.write_text('{"releases": [{"sequence": 1, "models": {"als": "../../x"}, "default": "als"}]}')
    with pytest.raises(DamagedBundle, match="pointer"):
        registry.live()


def test_a_model_not_in_the_release_is_refused_with_the_names_there_are(registry, make_als):
    registry.publish([make_als()])
    with pytest.raises(NoModel, match="autoencoder") as caught:
        registry.live().version("autoencoder")
    assert "als" in caught.value.do


def hold_lock(folder, ready, release):
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    ready.set()
    release.wait(20)


def test_a_second_publisher_is_turned_away_and_a_killed_one_frees_the_lock(registry, make_als):
    registry.publish([make_als()])
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=hold_lock, args=(registry.folder, ready, release))
    holder.start()
    assert ready.wait(20)
    with pytest.raises(AlreadyRunning):
        ModelRegistry(registry.folder, patience=0.05).publish([make_als(scale=2.0)])
    assert registry.live().sequence == 1
    holder.kill()
    holder.join()
    registry.publish([make_als(scale=2.0)])
    assert registry.live().sequence == 2


def test_what_a_killed_writer_left_is_cleared_and_never_listed(registry, make_als):
    (registry.folder / "versions" / ".partial-dead").mkdir(parents=True)
    assert registry.versions() == []
    registry.publish([make_als()])
    assert not list(registry.folder.glob("versions/.partial-*"))


def test_publishing_needs_a_default_that_is_live(registry, make_als):
    with pytest.raises(NoModel):
        registry.publish([make_als()], default="autoencoder")
    assert ModelRegistry(registry.folder).stamp() is None


class FullDisk:
    """Makes the n-th call fail among all those that make something durable or visible."""

    def __init__(self, monkeypatch, fails_at):
        self.calls, self.fails_at = 0, fails_at
        for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "replace")):
            monkeypatch.setattr(owner, name, self.guarded(getattr(owner, name)))

    def guarded(self, original):
        def call(*arguments):
            self.calls += 1
            if self.calls == self.fails_at:
                raise OSError(28, "No space left on device")
            return original(*arguments)

        return call


def test_a_publish_that_fails_at_any_step_leaves_a_whole_release_live(tmp_path, make_als, make_popularity):
    for fails_at in range(1, 100):
        registry = ModelRegistry(tmp_path / str(fails_at))
        (first,) = registry.publish([make_als()])
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = FullDisk(monkeypatch, fails_at)
            with contextlib.suppress(StoreError):
                registry.publish([make_als(scale=2.0), make_popularity()])
        for version in registry.live().models.values():
            registry.verify(version)
        assert not list(registry.folder.rglob("*.partial*"))
        if registry.live().models != {"als": first}:
            break
    # Only the flush after the swap, the very last call, can fail and leave the new release live.
    assert disk.calls == fails_at > 10
    assert set(registry.live().models) == {"als", "popularity"}
