"""The attack drill: profiles are what they are called, and the targets' rates are counted among those who lack them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.attacks import drill
from benchmarks.attacks.profiles import KINDS, profiles, unpopular
from recsys.errors import DataError, SettingError
from recsys.matrix import Index, InteractionMatrix

USERS, ITEMS, SIZE = 160, 80, 12


def world() -> csr_matrix:
    """Two tastes of 40 items, popularity falling in each; 16 to 24 items a person."""
    rng = np.random.default_rng(0)
    rows = np.zeros((USERS, ITEMS), dtype=np.float32)
    falling = np.tile(1 / (np.arange(ITEMS // 2) + 1.0), 2)
    for number, row in enumerate(rows):
        odds = np.where(np.arange(ITEMS) // 40 == number % 2, falling, 0.02 * falling)
        row[rng.choice(ITEMS, rng.integers(16, 25), replace=False, p=odds / odds.sum())] = 1
    return csr_matrix(rows)


def data(rows: csr_matrix) -> InteractionMatrix:
    users = Index.of([f"u{n}" for n in range(rows.shape[0])], "user")
    return InteractionMatrix(rows, users, Index.of([f"i{n}" for n in range(rows.shape[1])], "item"))


@pytest.mark.parametrize("kind", KINDS)
def test_profiles_have_the_size_and_the_targets_asked_for(kind: str) -> None:
    targets = np.array([3, 70])
    made = profiles(kind, world(), 20, SIZE, targets, np.random.default_rng(1))
    assert made.shape == (20, ITEMS)
    assert made.has_canonical_format
    assert np.diff(made.indptr).tolist() == [SIZE] * 20
    assert (made[:, targets].toarray() == 1).all()
    assert len({tuple(row) for row in made.toarray().tolist()}) == 20


def test_average_filler_is_as_popular_as_items_are_and_random_filler_is_not() -> None:
    rows = world()
    popularity = np.bincount(rows.indices, minlength=ITEMS)
    typical = {
        kind: popularity[profiles(kind, rows, 300, SIZE, np.array([79]), np.random.default_rng(2)).indices].mean()
        for kind in ("random", "average")
    }
    assert typical["average"] > 1.15 * typical["random"]
    assert typical["random"] == pytest.approx(popularity.mean(), rel=0.1)


def test_bandwagon_profiles_hold_the_most_popular_items() -> None:
    rows = world()
    made = profiles("bandwagon", rows, 10, SIZE, np.array([79]), np.random.default_rng(3)).toarray()
    top = np.argsort(-np.bincount(rows.indices, minlength=ITEMS), kind="stable")[:5]
    assert (made[:, top] == 1).all()


def test_copied_filler_comes_from_one_person() -> None:
    rows = world()
    made = profiles("copied", rows, 10, SIZE, np.array([79]), np.random.default_rng(4))
    shared = (made @ rows.T).toarray().max(axis=1)
    assert (shared >= SIZE - 1).all()


def test_targets_are_unpopular_and_too_few_are_said_to_be() -> None:
    rows = world()
    found = unpopular(rows, 3, np.random.default_rng(5), fewest=5, most=25)
    counts = np.bincount(rows.indices, minlength=ITEMS)[found]
    assert len(set(found.tolist())) == 3
    assert counts.min() >= 5
    assert counts.max() <= 25
    with pytest.raises(DataError, match="are wanted as targets"):
        unpopular(rows, ITEMS, np.random.default_rng(5))


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(SettingError, match="no attack is called 'nuke'"):
        profiles("nuke", world(), 2, SIZE, np.array([1]), np.random.default_rng(6))
    with pytest.raises(DataError, match="no room for filler"):
        profiles("bandwagon", world(), 2, 6, np.array([1]), np.random.default_rng(6))
    with pytest.raises(DataError, match="too few items"):
        profiles("random", world(), 2, ITEMS + 1, np.array([1]), np.random.default_rng(6))


class Fixed:
    """Ranks column 0 first for everybody, then 1, and so on."""

    config: Any = None

    def score(self, rows: csr_matrix) -> np.ndarray:
        return np.tile(-np.arange(rows.shape[1], dtype=np.float32), (rows.shape[0], 1))


def test_a_rate_is_of_those_who_lack_the_target() -> None:
    """Four people of 60 items: all are offered the first CUTOFF they lack. Targets are columns 5 and 50."""
    rows = np.zeros((4, 60), dtype=np.float32)
    rows[0, 5] = 1  # lacks only 50, which is far down: 0
    rows[1, [5, 50]] = 1  # lacks neither: is not asked
    rows[2, 30] = 1  # lacks both, is offered 5: 1/2
    rows[3, 10:50] = 1  # of the rest 50 is among the first 20: 1
    kept = csr_matrix(rows)
    one = drill._Drill(data(kept), kept, np.array([5, 50]), np.arange(4), {}, 0, "cpu", 0.01)
    found = one._hits(Fixed())  # type: ignore[arg-type]  # what scores is all that is asked
    assert found["mean"] == pytest.approx((0 + 1 / 2 + 1) / 3)
    assert found["place"] == np.median([50, 6, 50, 6, 11])


def test_intervals_hold_the_share_and_lie_between_nothing_and_all() -> None:
    assert drill.rate(0, 50) == {"mean": 0.0, "low": 0.0, "high": pytest.approx(0.0713, abs=1e-3)}
    assert drill.rate(50, 50)["high"] == 1.0
    found = drill.auc(np.array([0.0, 1.0, 1.0, 2.0]), np.array([False, False, True, True]))
    assert found["mean"] == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert 0 <= found["low"] < found["mean"] < found["high"] <= 1


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    quick = {**drill.QUICK, "epochs": 2, "layers": [16], "bottleneck": 8}
    return drill.main(
        data(world()),
        device="cpu",
        kinds=("random", "average"),
        sizes=(0.1,),
        targets=2,
        people=50,
        false_alarms=0.05,
        autoencoder=quick,
        als={"factors": 4, "iterations": 2},
        out=tmp_path_factory.mktemp("drill") / "attacks.svg",
    )


def test_the_drill_measures_before_and_after(result: dict[str, Any]) -> None:
    assert [(one["kind"], one["profiles"]) for one in result["attacks"]] == [("random", 16), ("average", 16)]
    assert set(result["before"]["hits"]) == {"autoencoder", "als"}
    for one in (result["before"], *result["attacks"]):
        for hit in one["hits"].values():
            assert 0 <= hit["low"] <= hit["mean"] <= hit["high"] <= 1
        assert set(one["detectors"]) == {"crossed", "as trained"}
    curve = result["attacks"][0]["detectors"]["crossed"]["curve"]
    assert curve["recall"] == sorted(curve["recall"])
    assert curve["recall"][-1] == 1.0
    assert json.loads(json.dumps(result))["size"] == result["size"]


def test_the_tables_have_a_row_an_attack(result: dict[str, Any]) -> None:
    found = drill.tables(result)
    for _, header, rows in found[:2]:
        assert [row[0] for row in rows] == ["no attack", "random", "average"]
        assert {len(row) for row in rows} == {len(header)}


def test_the_picture_says_what_it_shows(result: dict[str, Any], tmp_path: Path) -> None:
    from benchmarks.attacks.plot import draw

    draw(result, tmp_path / "drill.svg")
    draw(result, tmp_path / "drill.png")
    assert (tmp_path / "drill.svg").read_text().startswith("<?xml")
    assert (tmp_path / "drill.png").read_bytes().startswith(b"\x89PNG")
