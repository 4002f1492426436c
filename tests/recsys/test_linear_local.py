"""The sparse form: what the dense one gives, restricted to neighbours, without ever making it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import recsys.linear.filters as filters
import recsys.linear.local as room
from recsys.linear.closed_form import item_weights, user_weights
from recsys.linear.local import local_weights

ITEMS = 40


@pytest.fixture(scope="module")
def histories() -> csr_matrix:
    """120 people, 40 items with a long tail, strengths from a half to three; nobody touched the last item."""
    rng = np.random.default_rng(3)
    liked = rng.random((120, ITEMS)) < 0.5 / (1 + np.arange(ITEMS) / 8)
    liked[:, -1] = False
    return csr_matrix(np.where(liked, rng.choice([0.5, 1.0, 3.0], liked.shape), 0).astype(np.float32))


@pytest.mark.parametrize("setting", [(10.0, 0.0, 0.0), (5.0, 0.4, 0.3)])
def test_with_every_item_a_neighbour_it_is_the_closed_form(setting):
    """Where every two items have somebody in common: only those that do are neighbours."""
    rows = csr_matrix((np.random.default_rng(2).random((120, ITEMS)) < 0.4).astype(np.float32))
    assert (rows.T @ rows).nnz == ITEMS**2
    found = local_weights(rows, ITEMS, *setting)
    np.testing.assert_allclose(found.toarray(), item_weights(rows, *setting), atol=1e-6)


@pytest.mark.parametrize("setting", [(10.0, 0.0, 0.0), (5.0, 0.4, 0.3)])
def test_each_item_is_a_small_regression_on_its_most_alike_items(histories, monkeypatch, setting):
    monkeypatch.setattr(room, "_ENTRIES", 7 * 36)  # seven items at once
    monkeypatch.setattr(filters, "_MOST_PAIRS", 2000)  # and the pairs a few items at a time
    l2, dropout, exponent = setting
    neighbours = 6
    x = histories.toarray().astype(np.float64)
    g = x.T @ (user_weights(histories, exponent)[:, None] * x)
    penalty = l2 + dropout / (1 - dropout) * np.diag(g)
    length = np.sqrt(np.diag(g))
    cosines = g / np.where(length > 0, length, 1) / np.where(length > 0, length, 1)[:, None]
    np.fill_diagonal(cosines, 0)
    expected = np.zeros_like(g)
    for j in range(ITEMS):
        near = np.argsort(-cosines[j])[:neighbours]
        near = near[cosines[j, near] > 0]
        expected[near, j] = np.linalg.solve(g[np.ix_(near, near)] + np.diag(penalty[near]), g[near, j])
    # 8 pairs a neighbour are known, more than there are items: the systems are whole.
    found = local_weights(histories, neighbours, *setting)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-6)
    assert np.diff(found.tocsc().indptr).max() == neighbours
    assert found.dtype == np.float32


def test_no_more_pairs_are_kept_than_there_is_room_for(histories, monkeypatch):
    monkeypatch.setattr(room, "_MOST_PAIRS", 6 * ITEMS)
    found = local_weights(histories, 30, 10.0)
    assert np.diff(found.tocsc().indptr).max() <= 3


def test_an_item_whose_system_makes_no_sense_gets_damped_cooccurrences():
    """A pair left out can make a matrix no histories have: 0 alike to 1, and 1 to 2, but 0 not to 2."""
    system = np.array([[10.01, 9.9, 0], [9.9, 10.01, 9.9], [0, 9.9, 10.01]])
    assert np.linalg.eigvalsh(system).min() < 0
    above, right = np.array([[9.9, 0, 9.9]] * 2), np.array([[9.0, 1, 9], [5, 5, 5]])
    found = room._solved(above, right, np.full((2, 3), 10.01), np.full(2, 10.0))
    np.testing.assert_allclose(found[0], right[0] / system.sum(axis=1))
    np.testing.assert_allclose(system @ found[1], right[1], err_msg="this one makes sense, and is solved")


def test_every_piece_is_told_and_an_item_without_neighbours_needs_none(histories, monkeypatch):
    monkeypatch.setattr(room, "_ENTRIES", 100)
    told: list[tuple[int, int]] = []
    local_weights(histories, 5, 1.0, tell=lambda done, of: told.append((done, of)))
    assert len(told) > 1
    assert told == [(k + 1, len(told)) for k in range(len(told))]
    alone = csr_matrix(np.eye(3, dtype=np.float32))
    told.clear()
    assert local_weights(alone, 5, 1.0, tell=lambda done, of: told.append((done, of))).nnz == 0
    assert told == [(1, 1)]
