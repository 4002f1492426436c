"""The map of items: planted clusters are found again, and what cannot be drawn is not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recsys.evaluation.catalogue import Catalogue
from recsys.matrix import Index
from recsys.reports import maps
from recsys.reports.maps import item_maps

GENRES = ("Drama", "Western", "Horror")
N = 90
ITEMS = Index.of([f"i{k:02}" for k in range(N)], "item")
POPULARITY = np.arange(N)[::-1].astype(float)  # the first item is the most popular
CATALOGUE = Catalogue(titles={"i00": "The First"}, categories={f"i{k:02}": [GENRES[k % 3]] for k in range(N)})


def planted(width=8, noise=0.02, seed=0):
    """(N, width) vectors of any length, each close to the direction of its category."""
    rng = np.random.default_rng(seed)
    directions = np.eye(width)[np.arange(N) % 3] + noise * rng.standard_normal((N, width))
    return (directions * rng.uniform(0.1, 10, (N, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(1)
    spaces = {"planted": planted(), "noise": rng.standard_normal((N, 8))}
    return item_maps(spaces, ITEMS, POPULARITY, CATALOGUE, seed=0)


def test_neighbours_in_a_space_of_categories_agree_and_in_noise_only_by_chance(drawn):
    assert drawn["chance"] == pytest.approx((N / 3 - 1) / (N - 1))
    found = drawn["spaces"]["planted"]["agreement"]
    assert found == {"mean": 1.0, "low": 1.0, "high": 1.0}
    noise = drawn["spaces"]["noise"]["agreement"]
    assert noise["low"] <= drawn["chance"] <= noise["high"]
    assert noise["low"] < noise["mean"] < noise["high"] < 0.5


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_planted_clusters_lie_apart_in_the_picture(drawn, method):
    if method == "tsne":
        pytest.importorskip("sklearn")
    points = np.array(drawn["spaces"]["planted"][method])
    assert points.shape == (N, 2)
    group = np.arange(N) % 3
    centres = np.array([points[group == k].mean(axis=0) for k in range(3)])
    distance = np.linalg.norm(points[:, None] - centres, axis=2)
    assert (distance.argmin(axis=1) == group).all()


def test_two_directions_explain_three_clusters_of_unit_vectors(drawn):
    explained = drawn["spaces"]["planted"]["explained"]
    assert explained[0] >= explained[1] > 0.4
    assert sum(explained) == pytest.approx(1, abs=0.02)


def test_the_picture_is_the_same_each_time_and_fits_json(drawn):
    again = item_maps({"planted": planted()}, ITEMS, POPULARITY, CATALOGUE, seed=0)
    assert again["spaces"]["planted"] == drawn["spaces"]["planted"]
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn


def test_the_largest_part_of_a_direction_points_to_the_right():
    along = np.linspace(-1, 1, 50)
    for slope in ([1, 0.1], [0.1, 1], [-0.1, 1]):
        right, _ = np.array(maps._pca(np.outer(along, slope))[0]).T
        assert (np.diff(right) > 0).all()
        left, _ = np.array(maps._pca(np.outer(-along, slope))[0]).T
        assert (np.diff(left) < 0).all()


def test_the_most_popular_items_with_a_category_are_shown(drawn):
    known = {f"i{k:02}": ["Drama"] for k in range(0, N, 2)}
    few = item_maps({"a": planted()}, ITEMS, POPULARITY, Catalogue(categories=known), seed=0, most=35)
    assert [one["item"] for one in few["items"]] == [f"i{2 * k:02}" for k in range(35)]
    assert "35 most popular of 45 items" in few["about"]
    assert drawn["items"][0] == {"item": "i00", "title": "The First", "category": "Drama"}
    assert drawn["items"][1]["title"] == "i01"


def test_an_item_has_the_colour_of_its_rarest_frequent_category():
    names = [f"c{k}" for k in range(8)]  # c0 in most items, c7 in fewest
    categories = {f"i{k:02}": ["c0", names[k % 8]] if k % 8 != 7 or k < 32 else ["c0"] for k in range(N)}
    categories["i88"] = ["c7"]  # the eighth in frequency, which has no colour
    drawn = item_maps({"a": planted()}, ITEMS, POPULARITY, Catalogue(categories=categories), seed=0)
    colour = {one["item"]: one["category"] for one in drawn["items"]}
    assert (colour["i03"], colour["i00"], colour["i07"], colour["i88"]) == ("c3", "c0", "c0", "other")
    assert drawn["categories"] == [*names[:7], "other"]


def test_without_categories_there_is_no_map():
    assert item_maps({"a": planted()}, ITEMS, POPULARITY, Catalogue(), seed=0) is None
    known = {f"i{k:02}": ["Drama"] for k in range(29)}
    assert item_maps({"a": planted()}, ITEMS, POPULARITY, Catalogue(categories=known), seed=0) is None
    assert item_maps({}, ITEMS, POPULARITY, CATALOGUE, seed=0) is None


def test_without_scikit_learn_there_is_pca_alone(monkeypatch):
    monkeypatch.setattr(maps, "find_spec", lambda name: None)
    space = item_maps({"a": planted()}, ITEMS, POPULARITY, CATALOGUE, seed=0)["spaces"]["a"]
    assert space["tsne"] is None
    assert len(space["pca"]) == N


def test_a_space_with_no_direction_is_one_point_and_has_no_tsne():
    spaces = {"line": np.ones((N, 1)), "nothing": np.zeros((N, 4))}
    for space in item_maps(spaces, ITEMS, POPULARITY, CATALOGUE, seed=0)["spaces"].values():
        assert space["explained"] == [0.0, 0.0]
        assert np.abs(space["pca"]).max() == 0
        assert space["tsne"] is None


def test_a_space_of_one_width_is_drawn_on_a_line():
    pytest.importorskip("sklearn")
    width_one = np.where(np.arange(N) % 3 == 0, 1.0, -2.0)[:, None]
    space = item_maps({"a": width_one}, ITEMS, POPULARITY, CATALOGUE, seed=0)["spaces"]["a"]
    assert space["explained"] == [1.0, 0.0]
    assert np.shape(space["tsne"]) == (N, 2)
    assert np.isfinite(space["tsne"]).all()
