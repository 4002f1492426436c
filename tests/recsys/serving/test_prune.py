"""Pruning: what goes, what never does, and what is still served and gone back to afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import NoModel, RecsysError, SettingError
from recsys.matrix import history_row
from recsys.serving.live import LiveModels

AT = "2026-03-01T02:00:00Z"


@pytest.fixture
def made(registry, make_als):
    """made(k): k versions of ALS, kept and not live."""
    count = iter(range(1, 1000))
    return lambda k: registry.add([make_als(scale=float(next(count))) for _ in range(k)])


def test_the_newest_of_each_model_stay(registry, made, make_popularity):
    als, popularity = made(5), registry.add([make_popularity(10.0 + k) for k in range(4)])
    assert registry.prunable(2) == sorted(als[:3] + popularity[:2])
    assert registry.prune(2) == sorted(als[:3] + popularity[:2])
    assert registry.versions() == sorted(als[3:] + popularity[2:])
    assert registry.prune(2) == []


def test_the_live_the_previous_and_the_spared_are_never_removed_and_not_counted(registry, made):
    versions = made(8)
    registry.promote(versions[0])
    registry.promote(versions[1])
    assert registry.prune(2, spare=[versions[2]]) == versions[3:6]
    assert registry.versions() == [*versions[:3], *versions[6:]]
    assert registry.prune(0) == [versions[2], *versions[6:]]
    assert registry.rollback().models == {"als": versions[0]}


def test_every_model_of_the_previous_release_stays(registry, made, make_popularity):
    (popularity,) = registry.publish([make_popularity()])
    first, second = made(2)
    registry.promote(first)
    registry.promote(second)
    registry.publish([make_popularity(30.0)])
    assert registry.prune(0) == [first]  # the release before the live one holds the second and the old popularity
    assert registry.rollback().models == {"popularity": popularity, "als": second}


def test_a_rollback_goes_to_a_release_whose_versions_are_all_there(registry, made):
    versions = made(5)
    for version in versions:
        registry.promote(version)
    assert registry.prune(0, spare=[versions[0]]) == versions[1:3]
    assert registry.rollback().models == {"als": versions[3]}
    assert registry.rollback().models == {"als": versions[0]}
    with pytest.raises(NoModel, match="no release before"):
        registry.rollback()


def test_after_a_rollback_what_would_come_next_is_kept(registry, made):
    versions = made(4)
    for version in versions:
        registry.promote(version)
    registry.rollback()
    assert registry.prune(0) == [versions[0], versions[3]]
    assert registry.rollback().models == {"als": versions[1]}


def test_a_version_removed_while_it_serves_elsewhere_goes_on_serving(registry, made):
    first, *others = made(4)
    registry.promote(first)
    models = LiveModels(registry)
    bundle = models.snapshot().bundles[first]
    for version in others:
        registry.promote(version)
    row = history_row(bundle.items, ["a1", "b3"])
    before = bundle.model.score(row)
    assert first in registry.prune(0)
    assert not (registry.folder / "versions" / first).exists()
    np.testing.assert_array_equal(bundle.model.score(row), before)
    assert bundle.items.ids.tolist()[0] == "a0"
    assert set(models.snapshot().bundles) == {others[-1]}


def test_with_a_version_goes_its_mark(registry, made):
    versions = made(3)
    registry.mark_forgotten("u1", AT)
    registry.prune(1)
    assert registry.marks() == {versions[2]: AT}
    assert versions[0] not in (registry.folder / "marks.json").read_text()


def test_one_version_is_removed_unless_it_is_live_or_next(registry, made):
    versions = made(3)
    registry.promote(versions[0])
    registry.promote(versions[1])
    for version in versions[:2]:
        with pytest.raises(RecsysError, match="live"):
            registry.remove(version)
    registry.remove(versions[2])
    assert registry.versions() == versions[:2]
    for name in (versions[2], "..", ""):
        with pytest.raises(NoModel, match="no model version"):
            registry.remove(name)


def test_a_number_below_none_is_refused(registry, made):
    made(2)
    with pytest.raises(SettingError):
        registry.prune(-1)
    assert len(registry.versions()) == 2


def test_a_verdict_lies_beside_the_files_and_changes_neither_name_nor_digest(registry, made):
    (version,) = made(1)
    before = registry.load(version).digest
    assert registry.verdict(version) is None
    registry.write_verdict(version, {"decision": "keep", "figures": [{"value": 0.1}]})
    registry.write_verdict(version, {"decision": "promote"})
    assert registry.verdict(version) == {"decision": "promote"}
    assert registry.load(version).digest == before
    assert registry.add([registry.load(version)]) == [version]
    with pytest.raises(NoModel):
        registry.write_verdict(version[:-1] + "x", {})
    (registry.folder / "versions" / version / "verdict.json").write_text("{")
    assert registry.verdict(version) is None


def test_what_is_kept_is_described_with_its_part_and_its_past(registry, made):
    versions = made(4)
    for version in versions[1:]:
        registry.promote(version)
    registry.write_verdict(versions[0], {"decision": "refused", "reason": "it is worse"})
    registry.mark_forgotten("u1", AT)
    (fresh,) = made(1)
    rows = {row["version"]: row for row in registry.describe()}
    assert [row["version"] for row in registry.describe()] == [fresh, *versions[::-1]]
    assert [rows[v]["live"] for v in versions] == [False, False, False, True]
    assert [rows[v]["previous"] for v in versions] == [False, False, True, False]
    assert [rows[v]["marked"] for v in (*versions, fresh)] == [AT, AT, AT, AT, None]
    assert [rows[v]["decision"] for v in versions] == ["refused", None, None, None]
