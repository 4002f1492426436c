"""What every model in the registry promises, asked of each on a matrix whose answer is known by construction."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError, TrainingError
from recsys.models import MODELS, config_of, create, model_class
from recsys.recommender import FitOptions, Progress, top_n

# Small networks: the suite asks what a model is, not how good its default size is on 30 items.
SETTINGS = {
    "autoencoder": {"layers": [32, 32], "bottleneck": 16, "learning_rate": 0.003, "epochs": 40},
    "als": {"factors": 8, "iterations": 10},
    "svd": {"factors": 2},
}
IMPERSONAL = ["popularity"]  # gives everyone the same list and draws nothing at random
PERSONAL = [name for name in sorted(MODELS) if name not in IMPERSONAL]
EXACT = ["ease", "svd"]  # a closed form, and on a board this small an exact decomposition: nothing is drawn at random
PAIRWISE = ["ease"]  # knows how alike two items are, but as a number a pair, not as vectors
OPTIONS = FitOptions(device="cpu", seed=7)
N_ITEMS = 30


@pytest.fixture(scope="module")
def board() -> csr_matrix:
    """60 users, 30 items: even users like even items, odd users odd ones; user u has not yet found item u % 30."""
    user, item = np.indices((60, N_ITEMS))
    liked = (user % 2 == item % 2) & (item != user % N_ITEMS)
    return csr_matrix(liked.astype(np.float32))


@pytest.fixture(scope="module", params=sorted(MODELS))
def name(request):
    return request.param


def fitted_model(name, board, options=OPTIONS):
    return create(name, **SETTINGS.get(name, {})).fit(board, options)


@pytest.fixture(scope="module")
def model(name, board):
    return fitted_model(name, board)


@pytest.mark.parametrize("name", PERSONAL, indirect=True)
def test_the_item_a_user_has_not_found_yet_comes_first(model, board):
    items, _ = top_n(model.score(board), board, 1)
    np.testing.assert_array_equal(items[:, 0], np.arange(60) % N_ITEMS)


@pytest.mark.parametrize("name", IMPERSONAL, indirect=True)
def test_an_impersonal_model_knows_no_item_vectors(model):
    assert model.item_vectors() is None


@pytest.mark.parametrize("name", IMPERSONAL, indirect=True)
def test_an_impersonal_model_ranks_by_what_most_people_like(name):
    staircase = csr_matrix(np.tril(np.ones((6, 6), dtype=np.float32)))  # item 0 has 6 users, item 5 has one
    model = create(name).fit(staircase, OPTIONS)
    items, _ = top_n(model.score(staircase[:2]), None, 6)
    np.testing.assert_array_equal(items, [range(6), range(6)])


@pytest.mark.parametrize("name", PERSONAL, indirect=True)
def test_a_history_never_seen_in_training_is_folded_in(model):
    stranger = csr_matrix(np.isin(np.arange(N_ITEMS), [1, 5, 9]).astype(np.float32)[None])
    items, _ = top_n(model.score(stranger), stranger, 12)
    assert set(items[0]) == set(range(1, N_ITEMS, 2)) - {1, 5, 9}


def test_a_row_scores_the_same_alone_and_among_others(model, board):
    together = model.score(board)
    alone = np.vstack([model.score(board[[row]]) for row in range(5)])
    np.testing.assert_allclose(alone, together[:5], rtol=1e-4, atol=1e-5)


def test_scores_are_float32_of_the_rows_and_the_catalogue(model, board):
    for rows in (board, board[:1], board[:0]):
        scores = model.score(rows)
        assert scores.dtype == np.float32
        assert scores.shape == (rows.shape[0], N_ITEMS)
        assert np.isfinite(scores).all()


def test_an_empty_history_gets_finite_scores(model):
    scores = model.score(csr_matrix((2, N_ITEMS), dtype=np.float32))
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[0], scores[1])


def test_scoring_changes_neither_rows_nor_model(model, board):
    rows = board.copy()
    before = model.score(rows)
    np.testing.assert_array_equal(model.score(rows), before)
    assert (rows != board).nnz == 0


def test_restored_state_scores_identically(name, model, board):
    copied = {key: np.array(value) for key, value in model.state().items()}
    restored = create(name, **SETTINGS.get(name, {})).restore(copied)
    np.testing.assert_array_equal(restored.score(board), model.score(board))


def test_state_is_named_arrays_of_numbers(model):
    state = model.state()
    assert state
    assert all(isinstance(value, np.ndarray) and value.dtype.kind in "fiu" for value in state.values())


@pytest.mark.parametrize("name", PAIRWISE, indirect=True)
def test_a_model_without_vectors_finds_alike_items_by_a_history_of_one(model):
    assert model.item_vectors() is None
    alike = model.score(csr_matrix(np.eye(N_ITEMS, dtype=np.float32)))
    np.fill_diagonal(alike, -np.inf)
    np.testing.assert_array_equal(alike.argmax(axis=1) % 2, np.arange(N_ITEMS) % 2)


@pytest.mark.parametrize("name", [name for name in PERSONAL if name not in PAIRWISE], indirect=True)
def test_alike_items_have_alike_vectors(model):
    vectors = model.item_vectors()
    assert vectors.shape[0] == N_ITEMS
    assert vectors.dtype == np.float32
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    np.testing.assert_array_equal(alike.argmax(axis=1) % 2, np.arange(N_ITEMS) % 2)


def test_what_makes_codes_does_so_without_the_rest(model, board):
    if not hasattr(model, "encode"):
        assert not hasattr(model, "coder")
        return
    left = model.coder()
    np.testing.assert_array_equal(left.encode(board), model.encode(board))
    np.testing.assert_array_equal(left.item_vectors(), model.item_vectors())


def test_a_config_survives_json(name, model):
    again = create(name, **json.loads(json.dumps(config_of(model))))
    assert again.config == model.config


def test_one_seed_gives_one_model(name, model, board):
    again = fitted_model(name, board)
    assert set(again.state()) == set(model.state())
    for key, value in model.state().items():
        np.testing.assert_array_equal(again.state()[key], value)


@pytest.mark.parametrize("name", [name for name in PERSONAL if name not in EXACT], indirect=True)
def test_another_seed_gives_another_model(name, model, board):
    other = fitted_model(name, board, replace(OPTIONS, seed=8))
    assert any((other.state()[key] != value).any() for key, value in model.state().items() if value.size > 1)


@pytest.mark.parametrize("name", PERSONAL, indirect=True)
def test_progress_ends_at_the_last_step_with_nothing_left(name, board):
    told: list[Progress] = []
    fitted_model(name, board, replace(OPTIONS, on_progress=told.append))
    assert [progress.step for progress in told] == list(range(1, len(told) + 1))
    assert told[-1].step == told[-1].steps
    assert told[-1].seconds_left == 0
    assert all(progress.loss is None or np.isfinite(progress.loss) for progress in told)
    losses = [progress.loss for progress in told if progress.loss is not None]
    assert not losses or losses[-1] < losses[0]


def test_an_unknown_setting_is_refused_by_name(name):
    with pytest.raises(SettingError, match="'warp_factor'"):
        create(name, warp_factor=9)


def test_nothing_to_learn_from_is_refused(name):
    with pytest.raises(TrainingError, match="nothing to learn from"):
        create(name, **SETTINGS.get(name, {})).fit(csr_matrix((3, 4), dtype=np.float32), OPTIONS)


def test_a_strength_that_is_not_finite_is_refused(name):
    broken = csr_matrix(np.array([[1, np.nan], [1, 1]], dtype=np.float32))
    with pytest.raises(TrainingError, match="not finite"):
        create(name, **SETTINGS.get(name, {})).fit(broken, OPTIONS)


def test_scoring_before_learning_is_refused(name, board):
    with pytest.raises(TrainingError, match="has learnt nothing"):
        create(name).score(board)


def test_rows_of_another_catalogue_are_refused(model):
    with pytest.raises(SettingError, match="31 items were given to a model of 30"):
        model.score(csr_matrix((1, 31), dtype=np.float32))


@pytest.mark.parametrize(("users", "items"), [(1, 1), (1, 4), (5, 1), (5, 4)])
def test_the_default_settings_work_on_tiny_data(name, users, items):
    user, item = np.indices((users, items))
    tiny = csr_matrix((user % 2 == item % 2).astype(np.float32) if items > 1 else np.ones((users, items), np.float32))
    epochs = {"epochs": 3} if name == "autoencoder" else {}  # the size is the default; the length is not the question
    scores = create(name, **epochs).fit(tiny, OPTIONS).score(tiny)
    assert scores.shape == (users, items)
    assert np.isfinite(scores).all()


def test_restoring_and_scoring_need_neither_torch_nor_implicit(name, model, tmp_path):
    np.savez(tmp_path / "state.npz", **model.state())
    program = f"""
import sys
import numpy as np
from scipy.sparse import csr_matrix
from recsys.models import create
with np.load({str(tmp_path / "state.npz")!r}) as stored:
    model = create({name!r}, **{SETTINGS.get(name, {})!r}).restore(dict(stored))
model.score(csr_matrix(np.eye(2, {N_ITEMS}, dtype=np.float32)))
print(*sorted({{"torch", "implicit", "pandas"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_model_is_refused_with_the_names_there_are():
    with pytest.raises(SettingError, match="'oracle'") as caught:
        model_class("oracle")
    assert all(name in caught.value.do for name in MODELS)
