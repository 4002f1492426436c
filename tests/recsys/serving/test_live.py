"""A release that cannot be loaded: what is told of it to everyone, and what only to the log."""

from __future__ import annotations

import logging

import pytest

from recsys.serving.live import LiveModels
from recsys.serving.registry import ModelRegistry
from recsys.serving.releases import Releases


@pytest.fixture
def refused(registry, make_als):
    """Live models whose newest release is damaged, and what it may not tell: the folder it lies in."""
    models = LiveModels(registry)
    registry.publish([make_als()])
    models.snapshot()
    (version,) = registry.publish([make_als(scale=2.0)])
    (registry.folder / "versions" / version / "card.json").write_text("{}")
    return models, str(registry.folder)


def test_where_a_refused_release_lies_is_told_to_the_log_alone(refused, caplog):
    models, folder = refused
    with caplog.at_level(logging.WARNING, "recsys"):
        fault = models.health()["fault"]
    assert "refused: damaged model file" in fault
    assert folder not in fault
    (record,) = caplog.records
    assert (record.levelname, record.name.split(".")[0]) == ("WARNING", "recsys")
    assert folder in record.getMessage()


def test_a_release_refused_again_and_again_is_logged_once(refused, caplog, monkeypatch):
    models, _ = refused
    monkeypatch.setattr("recsys.serving.live.RETRY_SECONDS", -1.0)
    tries, live = [], models._registry.live
    monkeypatch.setattr(models._registry, "live", lambda: (tries.append(1), live())[1])
    with caplog.at_level(logging.WARNING, "recsys"):
        for _ in range(3):
            models.snapshot()
    assert len(tries) == 3
    assert len(caplog.records) == 1


def test_what_else_is_written_into_the_pointer_does_not_cost_the_way_back(registry, make_als, monkeypatch):
    models = LiveModels(registry)
    for scale in (1.0, 2.0, 3.0):
        registry.publish([make_als(scale=scale)])
        before = models.snapshot()
    assert registry.prune(0), "a release is no longer gone back to"
    assert models.snapshot().stamp != before.stamp
    assert models.snapshot().bundles is before.bundles
    monkeypatch.setattr(ModelRegistry, "load", lambda self, version: pytest.fail("loaded again"))
    release = registry.live()
    pointer = Releases.read(registry.pointer).gone_back("2026-03-01T02:00:00Z")
    registry.pointer.write_bytes(pointer.as_bytes())
    assert models.snapshot().release.sequence == release.sequence + 1
