"""top_n and Holdout, against plain Python that says the same thing slowly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.recommender import Holdout, top_n


@pytest.mark.parametrize("n", [1, 3, 9, 20, 50])
def test_top_n_is_a_stable_sort_by_falling_score(n):
    rng = np.random.default_rng(n)
    scores = rng.integers(0, 6, (40, 20)).astype(np.float32)  # many ties
    scores[rng.random(scores.shape) < 0.1] = np.nan
    seen = csr_matrix((rng.random((40, 20)) < 0.4).astype(np.float32))
    items, best = top_n(scores, seen, n)
    assert items.shape == best.shape == (40, min(n, 20))
    for row in range(40):
        free = [i for i in range(20) if not np.isnan(scores[row, i]) and not seen[row, i]]
        expected = sorted(free, key=lambda i: (-scores[row, i], i))[:n]
        assert items[row].tolist() == expected + [-1] * (items.shape[1] - len(expected))
        assert best[row][: len(expected)].tolist() == [scores[row, i] for i in expected]
        assert (best[row][len(expected) :] == -np.inf).all()


@pytest.mark.parametrize("n", [1, 20, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "ties", ["none", "few", "all", "all but n at the end", "n of them first and last", "rising", "nearly none a score"]
)
def test_top_n_of_a_wide_catalogue_is_a_stable_sort_whatever_the_ties(ties, dtype, n):
    rng = np.random.default_rng(n)
    scores = rng.standard_normal((30, 20_011)).astype(dtype)  # wide enough for several parts and groups of columns
    if ties == "few":
        scores = np.round(scores, 1)
    elif ties == "all":
        scores[:] = 0
    elif ties == "all but n at the end":
        scores[:] = 0
        scores[:, -n:] = 1
    elif ties == "n of them first and last":
        scores[:, : n // 2 + 1] = scores[:, -n:] = 9
    elif ties == "rising":
        scores.sort(axis=1)
    elif ties == "nearly none a score":
        scores[rng.random(scores.shape) < 0.995] = -np.inf
        scores[rng.random(scores.shape) < 0.3] = np.nan
    scores[3], scores[4], scores[5], scores[6, 1:] = np.nan, -np.inf, np.inf, -np.inf
    scores[7, 100:200] = np.inf
    seen = csr_matrix(rng.random(scores.shape) < 0.01)
    items, best = top_n(scores, seen, n)
    free = np.where(np.isnan(scores) | seen.toarray(), -np.inf, scores)
    expected = np.argsort(-free, axis=1, kind="stable")[:, :n]
    worth = np.take_along_axis(free, expected, axis=1)
    np.testing.assert_array_equal(best, worth)
    np.testing.assert_array_equal(items, np.where(worth > -np.inf, expected, -1))
    assert (items.dtype, best.dtype) == (np.int32, dtype)


@pytest.mark.parametrize("layout", ["by column", "every other column", "read only"])
def test_top_n_reads_scores_however_they_lie_in_memory(layout):
    scores = np.random.default_rng(0).standard_normal((9, 3000)).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    if layout == "by column":
        scores = np.asfortranarray(scores)
    elif layout == "every other column":
        scores = np.repeat(scores, 2, axis=1)[:, ::2]
    else:
        scores.flags.writeable = False
    for seen in (None, csr_matrix(scores.shape, dtype=np.float32)):
        np.testing.assert_array_equal(top_n(scores, seen, 5)[0], expected)


def test_top_n_leaves_the_scores_as_they_were():
    scores = np.array([[1.0, np.nan, 3.0]], dtype=np.float32)
    top_n(scores, csr_matrix(np.array([[0, 0, 1.0]])), 2)
    np.testing.assert_array_equal(scores, np.array([[1.0, np.nan, 3.0]], dtype=np.float32))


@pytest.mark.parametrize(("rows", "n"), [(0, 5), (3, 0)])
def test_top_n_of_nobody_or_of_nothing_is_empty(rows, n):
    items, scores = top_n(np.zeros((rows, 7), dtype=np.float32), None, n)
    assert items.shape == scores.shape == (rows, n)


@pytest.fixture
def rows() -> csr_matrix:
    """Histories of 0 to 29 items, every strength different."""
    matrix = np.zeros((30, 40), dtype=np.float32)
    for user in range(30):
        matrix[user, 7 : 7 + user] = 1 + np.arange(user) + user / 100
    return csr_matrix(matrix)


def test_a_holdout_gives_and_hides_each_interaction_exactly_once(rows):
    holdout = Holdout.of(rows, 0.8, np.random.default_rng(0))
    assert (holdout.given + holdout.hidden != rows).nnz == 0
    assert holdout.given.multiply(holdout.hidden).nnz == 0
    assert holdout.given.shape == holdout.hidden.shape == rows.shape


def test_a_holdout_hides_the_share_asked_and_always_something_of_two(rows):
    hidden = np.diff(Holdout.of(rows, 0.8, np.random.default_rng(0)).hidden.indptr)
    assert hidden[:2].tolist() == [0, 0]
    assert hidden[2:5].tolist() == [1, 1, 1]
    np.testing.assert_allclose(hidden[10:], 0.2 * np.arange(10, 30), atol=0.5)


@pytest.mark.parametrize("given", [0.0, 1.0])
def test_a_holdout_leaves_something_on_both_sides_whatever_the_share(rows, given):
    holdout = Holdout.of(rows, given, np.random.default_rng(0))
    assert (np.diff(holdout.given.indptr)[2:] >= 1).all()
    assert (np.diff(holdout.hidden.indptr)[2:] >= 1).all()


def test_a_holdout_follows_its_seed(rows):
    first, same, other = (Holdout.of(rows, 0.5, np.random.default_rng(seed)).hidden for seed in (1, 1, 2))
    assert (first != same).nnz == 0
    assert (first != other).nnz > 0


def test_a_holdout_hides_early_and_late_columns_alike():
    rows = csr_matrix(np.ones((2000, 10), dtype=np.float32))
    counts = np.diff(Holdout.of(rows, 0.8, np.random.default_rng(0)).hidden.tocsc().indptr)
    np.testing.assert_allclose(counts, 400, atol=90)  # five standard deviations
