"""The truncated SVD against numpy's and ARPACK's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array
from scipy.sparse.linalg import svds

import recsys.linear.spectral as room
from recsys.errors import TrainingError
from recsys.linear.spectral import truncated_svd


@pytest.fixture
def always_iterated(monkeypatch):
    monkeypatch.setattr(room, "_DENSE", 0)
    monkeypatch.setattr(room, "_DENSE_WHOLE", 0)


def with_values(values: np.ndarray, users: int, items: int) -> csr_matrix:
    """A (users, items) matrix of these singular values and random directions."""
    rng = np.random.default_rng(4)
    left = np.linalg.qr(rng.standard_normal((users, len(values))))[0]
    right = np.linalg.qr(rng.standard_normal((items, len(values))))[0]
    return csr_matrix(((left * values) @ right.T).astype(np.float32))


def same_space(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the largest angle between two spaces given by orthonormal columns: 1 if they are one."""
    return float(np.linalg.svd(a.T @ b, compute_uv=False).min())


@pytest.mark.parametrize("shape", [(40, 70), (70, 40)])
def test_a_small_matrix_is_decomposed_exactly(shape):
    matrix = csr_matrix(random_array(shape, density=0.3, rng=np.random.default_rng(1), dtype=np.float32))
    s, v = truncated_svd(matrix, 12, 0)
    _, expected, vectors = np.linalg.svd(matrix.toarray().astype(np.float64))
    np.testing.assert_allclose(s, expected[:12], rtol=1e-6)
    assert v.shape == (shape[1], 12)
    assert same_space(v.astype(np.float64), vectors[:12].T) > 1 - 1e-6
    np.testing.assert_allclose(np.abs((v * vectors[:12].T).sum(axis=0)), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(300, 500), (500, 300)])
def test_the_iteration_finds_the_leading_directions_of_a_falling_spectrum(always_iterated, shape):
    values = 50 * 0.97 ** np.arange(300)
    matrix = with_values(values, *shape)
    s, v = truncated_svd(matrix, 40, 0)
    _, expected, vectors = svds(matrix.astype(np.float64), 40, v0=np.ones(300))
    np.testing.assert_allclose(s, expected[::-1], rtol=1e-4)
    assert same_space(v.astype(np.float64), vectors.T) > 0.999
    np.testing.assert_allclose(v.T @ v, np.eye(40), atol=1e-5)


def test_a_flat_spectrum_is_captured_nearly_whole(always_iterated):
    """Random interactions have no strong directions: the hardest case, and the nearest to a sparse catalogue's."""
    matrix = csr_matrix(random_array((1200, 900), density=0.02, rng=np.random.default_rng(2), dtype=np.float32))
    s, _ = truncated_svd(matrix, 60, 0)
    best = np.linalg.svd(matrix.toarray(), compute_uv=False)[:60]
    assert (s <= best * (1 + 1e-5)).all()
    assert np.square(s).sum() > 0.97 * np.square(best).sum()


@pytest.mark.parametrize("iterated", [False, True])
def test_a_matrix_gives_no_more_directions_than_it_carries(request, iterated):
    if iterated:
        request.getfixturevalue("always_iterated")
    matrix = with_values(np.linspace(9, 5, 7), 200, 120)  # of rank 7
    s, v = truncated_svd(matrix, 50, 0)
    np.testing.assert_allclose(s, np.linspace(9, 5, 7), rtol=1e-4)
    assert v.shape == (120, 7)
    few = csr_matrix(np.eye(3, 8, dtype=np.float32) * [4, 3, 2, 0, 0, 0, 0, 0])
    assert [part.shape for part in truncated_svd(few, 50, 0)] == [(3,), (8, 3)]


def test_one_dominant_direction_does_not_hide_the_others(always_iterated):
    values = np.concatenate([[1000.0], 10 * 0.98 ** np.arange(199)])
    s, _ = truncated_svd(with_values(values, 300, 250), 20, 0)
    np.testing.assert_allclose(s, values[:20], rtol=5e-3)


def test_a_seed_decides_every_number_and_signs_are_fixed(always_iterated):
    matrix = with_values(20 * 0.9 ** np.arange(60), 150, 100)
    first, again, other = (truncated_svd(matrix, 10, seed)[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_allclose(first, other, atol=1e-3)
    assert (first[np.abs(first).argmax(axis=0), np.arange(10)] > 0).all()


@pytest.mark.parametrize("iterated", [False, True])
def test_progress_counts_to_its_end(request, iterated):
    if iterated:
        request.getfixturevalue("always_iterated")
    told: list[tuple[int, int]] = []
    truncated_svd(with_values(20 * 0.9 ** np.arange(60), 150, 100), 10, 0, lambda done, of: told.append((done, of)))
    assert told == [(k + 1, len(told)) for k in range(len(told))]


def test_a_matrix_of_zeros_is_refused():
    with pytest.raises(TrainingError, match="no directions"):
        truncated_svd(csr_matrix((4, 5), dtype=np.float32), 2, 0)
