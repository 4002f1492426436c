"""ALS's fold-in against the library's own, and what keeps it alive on small data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recsys.errors import SettingError, TrainingError
from recsys.models.als import ALS, ALSConfig
from recsys.recommender import FitOptions


@pytest.fixture(scope="module")
def histories() -> csr_matrix:
    """300 people, 120 items with a long tail, strengths from a half to three; the last person has no history."""
    rng = np.random.default_rng(5)
    liked = rng.random((300, 120)) < 0.4 / (1 + np.arange(120) / 10)
    liked[-1] = False
    return csr_matrix(np.where(liked, rng.choice([0.5, 1.0, 3.0], liked.shape), 0).astype(np.float32))


@pytest.fixture(scope="module")
def als(histories) -> ALS:
    return ALS(ALSConfig(factors=24, regularization=5.0)).fit(histories, FitOptions())


def library_factors(als: ALS, rows: csr_matrix, dtype) -> np.ndarray:
    with threadpool_limits(1, "blas"):
        from implicit.cpu.als import AlternatingLeastSquares

        state = als.state()
        theirs = AlternatingLeastSquares(
            factors=state["items"].shape[1],
            alpha=als.config.alpha,
            regularization=float(state["regularization"][0]),
            dtype=dtype,
        )
        theirs.item_factors = np.ascontiguousarray(state["items"], dtype=dtype)
        return theirs.recalculate_user(np.arange(rows.shape[0]), rows)


def test_fold_in_equals_the_librarys_recalculation(histories):
    """With strengths of 1; wider confidences cost the library, which rounds at every step, more digits than that."""
    liked = (histories > 0).astype(np.float32)
    als = ALS(ALSConfig(factors=32, regularization=5.0)).fit(liked, FitOptions())
    theirs = library_factors(als, liked, np.float32)
    assert np.abs(theirs).max() > 0.1
    np.testing.assert_allclose(als.fold_in(liked), theirs, rtol=0, atol=5e-7)


def test_fold_in_equals_the_librarys_in_double_precision_to_the_last_float32_digit(als, histories):
    theirs = library_factors(als, histories, np.float64)
    np.testing.assert_allclose(als.fold_in(histories), theirs, rtol=0, atol=3e-8)


def test_more_people_than_fit_in_one_block_are_all_solved(als, histories):
    many = csr_matrix(histories[np.arange(1000) % 300])
    once = als.fold_in(histories)
    np.testing.assert_allclose(als.fold_in(many), once[np.arange(1000) % 300], rtol=0, atol=1e-7)


def test_an_empty_history_scores_zero_everywhere(als, histories):
    assert not als.score(histories[-1]).any()


def test_the_default_regularization_does_not_erase_a_small_matrix():
    user, item = np.indices((12, 8))
    small = csr_matrix((user % 2 == item % 2).astype(np.float32))
    scores = ALS().fit(small, FitOptions()).score(small)
    liked = small.toarray() > 0
    assert scores[liked].min() > 0.5
    assert abs(scores[~liked]).max() < 0.01


def test_a_regularization_the_matrix_can_bear_is_used_as_given(histories):
    kept = ALS(ALSConfig(factors=8, regularization=0.5)).fit(histories, FitOptions()).state()["regularization"]
    assert kept == [0.5]


def test_the_cap_is_a_tenth_of_the_strongest_direction_and_the_same_in_every_fit():
    user, item = np.indices((60, 30))
    few_values = csr_matrix(((user % 2 == item % 2) & (item != user % 30)).astype(np.float32))  # ARPACK restarts here
    config = ALSConfig(factors=2, regularization=1e6, iterations=1)
    for matrix in (few_values, few_values.T.tocsr(), few_values[:1], few_values[:, 2:3]):
        models = [ALS(config).fit(matrix, FitOptions()) for _ in range(10)]
        found = {model.state()["regularization"][0] for model in models}
        assert max(found) == pytest.approx(0.1 * 5.0 * np.linalg.norm(matrix.toarray(), 2), rel=1e-4)
        assert len(found) == 1


def test_the_width_is_never_more_than_the_matrix_can_carry(histories):
    assert ALS().fit(histories[:10], FitOptions()).state()["items"].shape == (120, 10)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("factors", 0), ("factors", 2.5), ("factors", True), ("alpha", 0), ("regularization", -1), ("iterations", "9")],
)
def test_a_setting_out_of_range_is_refused_by_name(setting, value):
    with pytest.raises(SettingError, match=f"{setting} must be"):
        ALSConfig(**{setting: value})


def test_folding_in_before_learning_is_refused(histories):
    with pytest.raises(TrainingError, match="has learnt nothing"):
        ALS().fold_in(histories)
