"""Adjusted Rand index, silhouette and spherical k-means against scikit-learn and small worlds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from recsys.groups import spherical
from recsys.groups.agreement import adjusted_rand, silhouette


@pytest.mark.parametrize("seed", range(20))
def test_the_adjusted_rand_index_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 300))
    a, b = rng.integers(0, rng.integers(1, 12), n), rng.integers(0, rng.integers(1, 12), n)
    b = np.where(rng.random(n) < rng.random(), a, b)
    assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)


def test_the_same_partition_under_other_numbers_agrees_wholly():
    a = np.array([0, 0, 1, 1, 2, 2, 2])
    assert adjusted_rand(a, (a + 1) % 3) == 1
    assert adjusted_rand(np.zeros(9, dtype=np.int64), np.zeros(9, dtype=np.int64)) == 1
    assert adjusted_rand(np.arange(9), np.arange(9)) == 1
    assert adjusted_rand(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)) == 1


@pytest.mark.parametrize("seed", range(8))
def test_the_silhouette_is_scikit_learns_with_cosine_distance(seed):
    rng = np.random.default_rng(seed)
    points, _ = spherical.directions(rng.standard_normal((90, 5)))
    cluster = rng.integers(0, 5, 90)
    cluster[cluster == 3] = 2  # no person is in 3
    cluster[0] = 3 if seed % 2 else 0  # or one alone
    ours = silhouette(points, cluster, 5)
    assert ours == pytest.approx(silhouette_score(points.astype(np.float64), cluster, metric="cosine"), abs=1e-6)


def test_one_group_has_no_silhouette():
    points, _ = spherical.directions(np.random.default_rng(0).standard_normal((20, 4)))
    assert silhouette(points, np.zeros(20, dtype=np.int64), 1) == 0


def test_directions_are_seen_from_the_mean_and_lengths_do_not_count():
    codes = np.random.default_rng(2).standard_normal((50, 6)) + 3
    points, mean = spherical.directions(codes)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)
    units = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    np.testing.assert_allclose(mean, units.mean(axis=0), atol=1e-6)
    longer, _ = spherical.directions(codes * np.arange(1, 51)[:, None])
    np.testing.assert_allclose(longer, points, atol=1e-5)
    assert not spherical.directions(np.ones((5, 3)))[0].any()


def test_every_cluster_keeps_people_where_directions_are_enough():
    points, _ = spherical.directions(np.random.default_rng(3).standard_normal((60, 8)))
    for seed in range(10):
        centres = spherical.fit(points, 20, np.random.default_rng(seed), restarts=1)
        assert len(np.unique(spherical.nearest(points, centres)[0])) == 20


def test_a_cluster_nobody_is_nearest_to_starts_again():
    points, _ = spherical.directions(np.random.default_rng(4).standard_normal((40, 3)))
    nowhere = np.vstack([points[:2], np.zeros((1, 3), dtype=np.float32)])
    nowhere[2] = -points.sum(axis=0) * 1e-9
    centres, total = spherical._improved(points, nowhere)
    assert len(np.unique(spherical.nearest(points, centres)[0])) == 3
    assert total > spherical.nearest(points, points[:2])[1].sum()


def test_k_means_is_no_worse_than_scikit_learns_on_the_same_directions():
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(6)
    centres = rng.standard_normal((7, 10)) * 2
    points, _ = spherical.directions(centres[rng.integers(0, 7, 400)] + rng.standard_normal((400, 10)))
    ours = spherical.nearest(points, spherical.fit(points, 7, np.random.default_rng(0), restarts=8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = KMeans(7, n_init=8, random_state=0).fit_predict(points)
    fitted = spherical.centres_of(points, theirs, 7)
    assert ours[1].sum() >= spherical.nearest(points, fitted)[1].sum() * 0.995
    assert adjusted_rand(ours[0], theirs) > 0.9


def test_the_runner_up_is_the_second_best():
    points, _ = spherical.directions(np.random.default_rng(7).standard_normal((30, 4)))
    centres = points[:5]
    best, cosine, second = spherical.nearest(points, centres)
    order = np.argsort(-(points @ centres.T), axis=1)
    assert (best == order[:, 0]).all()
    assert (second == order[:, 1]).all()
    np.testing.assert_allclose(cosine, (points @ centres.T).max(axis=1), atol=1e-6)
