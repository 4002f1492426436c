"""The filters against plain numpy: neighbourhoods whole and cut, and the low-pass filter against the decomposition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.linear import filters
from recsys.linear.filters import ItemToItem, LowPass, Neighbours, degrees, normalised

N_USERS, N_ITEMS = 50, 20


@pytest.fixture(scope="module")
def matrix() -> csr_matrix:
    """Strengths of 50 users for 20 items; user 3 and item 5 have none."""
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((N_USERS, N_ITEMS)) < 0.3, rng.uniform(0.5, 3, (N_USERS, N_ITEMS)), 0)
    dense[3], dense[:, 5] = 0, 0
    return csr_matrix(dense.astype(np.float32))


def textbook(matrix, user_exponent, item_exponent):
    """R = D_u^-b X D_i^-a in float64, nothing where nothing is."""
    x = matrix.toarray().astype(np.float64)
    users, items = x.sum(axis=1), x.sum(axis=0)
    return x / np.where(users > 0, users, 1)[:, None] ** user_exponent / np.where(items > 0, items, 1) ** item_exponent


def products(matrix, user_exponent, item_exponent):
    """R'R without its diagonal."""
    r = textbook(matrix, user_exponent, item_exponent)
    pairs = r.T @ r
    np.fill_diagonal(pairs, 0)
    return pairs


def test_degrees_are_sums_and_one_where_nothing_is(matrix):
    users, items = degrees(matrix)
    assert users[3] == 1
    assert items[5] == 1
    for found, sums in ((users, matrix.toarray().sum(axis=1)), (items, matrix.toarray().sum(axis=0))):
        np.testing.assert_allclose(found, np.where(sums > 0, sums, 1), rtol=1e-5)


@pytest.mark.parametrize(("user", "item"), [(0.5, 0.5), (0.25, 0.4), (0.0, 0.0)])
def test_a_normalised_matrix_is_divided_by_powers_of_its_degrees(matrix, user, item):
    found = normalised(matrix, user, item)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), textbook(matrix, user, item), rtol=1e-5)


@pytest.mark.parametrize(("user", "item"), [(0.5, 0.5), (0.25, 0.4)])
def test_an_uncut_neighbourhood_is_the_textbooks_product(matrix, user, item):
    found = Neighbours.fit(matrix, user, item, most=N_ITEMS)
    pairs = products(matrix, user, item)
    np.testing.assert_allclose(found.pairs.toarray(), pairs, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.score(matrix[:7]), matrix[:7].toarray() @ pairs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("most", range(1, 17))
def test_a_cut_neighbourhood_keeps_exactly_the_strongest_of_each_row(matrix, most):
    found = Neighbours.fit(matrix, 0.5, 0.5, most).pairs.toarray()
    pairs = products(matrix, 0.5, 0.5)
    assert (pairs > 0).sum(axis=1).max() > most
    weakest = np.sort(pairs, axis=1)[:, -most][:, None]
    np.testing.assert_allclose(found, np.where(pairs >= weakest, pairs, 0), rtol=1e-4, atol=1e-7)


def test_a_neighbourhood_has_no_diagonal_and_knows_nothing_of_an_item_without_users(matrix):
    pairs = Neighbours.fit(matrix, 0.5, 0.5, most=N_ITEMS).pairs
    assert not pairs.diagonal().any()
    assert not (pairs.indices == np.repeat(np.arange(N_ITEMS), np.diff(pairs.indptr))).any()
    assert pairs[5].nnz == 0
    assert pairs[:, 5].nnz == 0


@pytest.mark.parametrize("most_pairs", [1, 300, 1000])
def test_a_neighbourhood_made_in_many_blocks_is_the_same(matrix, monkeypatch, most_pairs):
    whole = Neighbours.fit(matrix, 0.35, 0.5, most=5).pairs
    made = []
    strongest = filters._strongest
    monkeypatch.setattr(filters, "_strongest", lambda *given: made.append(given) or strongest(*given))
    monkeypatch.setattr(filters, "_MOST_PAIRS", most_pairs)
    again = Neighbours.fit(matrix, 0.35, 0.5, most=5).pairs
    assert len(made) > 1
    assert abs(again - whole).max() == 0
    assert again.nnz == whole.nnz


def test_what_is_kept_of_a_huge_catalogue_is_limited(matrix, monkeypatch):
    monkeypatch.setattr(filters, "_MOST_KEPT", 3 * N_ITEMS)
    pairs = Neighbours.fit(matrix, 0.5, 0.5, most=800).pairs
    assert np.diff(pairs.indptr).max() == 3


@pytest.mark.parametrize(("user", "item", "rank"), [(0.5, 0.5, 4), (0.25, 0.4, 7), (0.0, 0.0, 1)])
def test_the_low_pass_filter_projects_on_the_leading_singular_vectors(matrix, user, item, rank):
    vectors = np.linalg.svd(textbook(matrix, user, item))[2][:rank].T
    scale = np.where(np.arange(N_ITEMS) == 5, 1, matrix.toarray().sum(axis=0)) ** item
    expected = (matrix[:9].toarray() / scale) @ vectors @ vectors.T * scale
    found = LowPass.fit(matrix, user, item, rank, seed=0)
    scores = found.score(matrix[:9])
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_a_filter_cut_to_a_rank_is_the_filter_of_that_rank(matrix):
    cut = LowPass.fit(matrix, 0.25, 0.4, 9, seed=0).cut(3)
    assert cut.vectors.shape == (N_ITEMS, 3)
    np.testing.assert_allclose(
        cut.score(matrix), LowPass.fit(matrix, 0.25, 0.4, 3, seed=0).score(matrix), rtol=1e-4, atol=1e-5
    )


def test_every_filter_restored_from_its_state_scores_the_same_bit_by_bit(matrix):
    weights = np.random.default_rng(1).normal(size=(N_ITEMS, N_ITEMS)).astype(np.float32)
    for part in (Neighbours.fit(matrix, 0.5, 0.5, 6), LowPass.fit(matrix, 0.5, 0.5, 6, 0), ItemToItem(weights)):
        again = type(part).restore({name: value.copy() for name, value in part.state().items()})
        np.testing.assert_array_equal(again.score(matrix), part.score(matrix))
        assert part.score(matrix).dtype == np.float32
        assert part.score(matrix).any()


def test_item_to_item_is_the_product_with_the_weights(matrix):
    weights = np.random.default_rng(1).normal(size=(N_ITEMS, N_ITEMS)).astype(np.float32)
    np.testing.assert_allclose(ItemToItem(weights).score(matrix), matrix.toarray() @ weights, rtol=1e-4, atol=1e-5)
