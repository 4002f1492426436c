"""SVD as a model: the best linear autoencoder of its width."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from recsys.errors import SettingError
from recsys.models.svd import SVD, SVDConfig
from recsys.recommender import FitOptions


@pytest.fixture(scope="module")
def histories() -> csr_matrix:
    """200 people, 80 items with a long tail, strengths from a half to three; nobody touched the last item."""
    rng = np.random.default_rng(6)
    liked = rng.random((200, 80)) < 0.5 / (1 + np.arange(80) / 8)
    liked[:, -1] = False
    return csr_matrix(np.where(liked, rng.choice([0.5, 1.0, 3.0], liked.shape), 0).astype(np.float32))


def fitted(histories: csr_matrix, **config: float) -> SVD:
    return SVD(SVDConfig(**config)).fit(histories, FitOptions())


def test_it_is_pure_svd_without_an_exponent(histories):
    _, _, vt = svds(histories.astype(np.float64), 10, v0=np.ones(80))
    scores = fitted(histories, factors=10, item_exponent=0.0).score(histories)
    np.testing.assert_allclose(scores, histories @ vt.T @ vt, atol=1e-4)


def test_no_projection_of_its_width_restores_the_histories_better(histories):
    x = histories.toarray()
    _, s, _ = np.linalg.svd(x)
    lost = np.square(x - fitted(histories, factors=10, item_exponent=0.0).score(histories)).sum()
    np.testing.assert_allclose(lost, np.square(s[10:]).sum(), rtol=1e-4)


def test_the_exponent_divides_columns_by_popularity_before_the_decomposition(histories):
    popularity = np.maximum(histories.toarray().sum(axis=0), 0.5)  # the untouched item's column is zeros anyway
    _, _, vt = np.linalg.svd(histories.toarray().astype(np.float64) / popularity**0.5)
    scores = fitted(histories, factors=10, item_exponent=0.5).score(histories)
    np.testing.assert_allclose(scores, histories @ vt[:10].T @ vt[:10], atol=1e-4)


def test_the_width_is_never_more_than_the_matrix_can_carry(histories):
    assert fitted(histories[:5], factors=64).state()["vectors"].shape == (80, 5)
    doubled = csr_matrix(np.vstack([histories[:4].toarray()] * 3))  # twelve people of four histories
    assert fitted(doubled, factors=64).state()["vectors"].shape == (80, 4)


def test_the_code_is_as_wide_as_the_factors_and_decodes_to_the_scores(histories):
    model = fitted(histories, factors=7)
    code = model.encode(histories)
    assert code.shape == (200, 7)
    assert code.dtype == np.float32
    np.testing.assert_allclose(code @ model.state()["vectors"].T, model.score(histories), atol=1e-5)


def test_vectors_of_all_factors_have_the_cosines_of_the_items_columns(histories):
    vectors = fitted(histories, factors=80, item_exponent=0.0).item_vectors()
    x = histories.toarray()
    np.testing.assert_allclose(vectors @ vectors.T, x.T @ x, atol=1e-2)


@pytest.mark.parametrize(("setting", "value"), [("factors", 0), ("factors", 1.5), ("item_exponent", -1)])
def test_a_setting_out_of_range_is_refused_by_name(setting, value):
    with pytest.raises(SettingError, match=f"{setting} must be"):
        SVDConfig(**{setting: value})
