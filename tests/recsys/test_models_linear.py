"""EASE as a model: its settings, its two forms, what it hands out, and how it ranks real histories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.models.linear import EASE, EASEConfig
from recsys.recommender import FitOptions, Progress, top_n

ITEMS = 50
PLAIN = EASEConfig(l2=5.0, dropout=0.0, user_exponent=0.0)


@pytest.fixture(scope="module")
def histories() -> csr_matrix:
    rng = np.random.default_rng(8)
    liked = rng.random((200, ITEMS)) < 0.6 / (1 + np.arange(ITEMS) / 30)  # every two items have somebody in common
    return csr_matrix(liked.astype(np.float32))


@pytest.fixture(scope="module")
def tastes() -> tuple[csr_matrix, np.ndarray]:
    """(histories, taste of each item): 400 people of five tastes, nine items in ten of their own taste's 30."""
    rng = np.random.default_rng(9)
    taste = np.arange(150) % 5
    own = (np.arange(400) % 5)[:, None] == taste
    return csr_matrix((rng.random(own.shape) < np.where(own, 0.18, 0.005)).astype(np.float32)), taste


def test_the_published_settings_give_the_published_formula(histories):
    """Steck 2019, the listing on page 3, line by line."""
    x = histories.toarray().astype(np.float64)
    g = x.T @ x
    diagonal = np.diag_indices(ITEMS)
    g[diagonal] += 5.0
    p = np.linalg.inv(g)
    b = p / (-np.diag(p))
    b[diagonal] = 0
    scores = EASE(PLAIN).fit(histories, FitOptions()).score(histories)
    np.testing.assert_allclose(scores, x @ b, atol=1e-5)


@pytest.mark.parametrize("change", [{"l2": 50.0}, {"dropout": 0.5}, {"user_exponent": 0.4}])
def test_every_setting_changes_the_scores(histories, change):
    plain = EASE(PLAIN).fit(histories, FitOptions()).score(histories)
    changed = EASE(replace(PLAIN, **change)).fit(histories, FitOptions()).score(histories)
    assert np.abs(changed - plain).max() > 0.01


def test_a_large_catalogue_is_sparse_by_itself(histories):
    dense = EASE(replace(PLAIN, dense_items=ITEMS)).fit(histories, FitOptions())
    sparse = EASE(replace(PLAIN, dense_items=ITEMS - 1, neighbours=ITEMS)).fit(histories, FitOptions())
    assert set(dense.state()) == {"weights"}
    assert set(sparse.state()) == {"indptr", "indices", "data"}
    np.testing.assert_allclose(sparse.score(histories), dense.score(histories), atol=1e-5)


@pytest.mark.parametrize("dense_items", [0, 1000])
def test_either_form_recommends_within_a_persons_taste(tastes, dense_items):
    rows, taste = tastes
    model = EASE(EASEConfig(dense_items=dense_items, neighbours=10)).fit(rows, FitOptions())
    items, _ = top_n(model.score(rows), rows, 5)
    right = taste[items] == (np.arange(rows.shape[0]) % 5)[:, None]
    assert right.mean() > 0.95


@pytest.mark.parametrize("dense_items", [0, 1000])
def test_either_form_restores_and_ends_its_progress(histories, dense_items):
    told: list[Progress] = []
    config = EASEConfig(dense_items=dense_items, neighbours=7)
    model = EASE(config).fit(histories, FitOptions(on_progress=told.append))
    copied = {key: np.array(value) for key, value in model.state().items()}
    np.testing.assert_array_equal(EASE(config).restore(copied).score(histories), model.score(histories))
    assert [one.step for one in told] == list(range(1, told[-1].steps + 1))
    assert told[-1].seconds_left == 0


def test_the_weights_are_handed_out_and_taken_back_without_a_copy(histories):
    state = EASE(PLAIN).fit(histories, FitOptions()).state()
    again = EASE(PLAIN).restore(state).state()
    assert np.shares_memory(state["weights"], again["weights"])


def test_rows_of_float64_score_as_float32(histories):
    model = EASE(PLAIN).fit(histories, FitOptions())
    scores = model.score(histories.astype(np.float64))
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, model.score(histories))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("l2", 0),
        ("l2", "many"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("user_exponent", 2),
        ("dense_items", 50_000),
        ("dense_items", 1.5),
        ("neighbours", 0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(setting, value):
    with pytest.raises(SettingError, match=f"{setting} must be"):
        EASEConfig(**{setting: value})
