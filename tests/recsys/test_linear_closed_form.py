"""The closed form, on either side, against the textbook's ten lines; leave-one-out against refitting."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

import recsys.linear.closed_form as room
from recsys.errors import TrainingError
from recsys.linear.closed_form import ItemWeights, closed_form, item_weights, leave_one_out, user_weights
from recsys.linear.inverse import invert

USERS, ITEMS = 90, 60


@pytest.fixture(scope="module")
def histories() -> csr_matrix:
    """90 people, 60 items with a long tail, strengths from a half to three; the last person and item have none."""
    rng = np.random.default_rng(5)
    liked = rng.random((USERS, ITEMS)) < 0.6 / (1 + np.arange(ITEMS) / 10)
    liked[-1] = liked[:, -1] = False
    return csr_matrix(np.where(liked, rng.choice([0.5, 1.0, 3.0], liked.shape), 0).astype(np.float32))


def textbook(matrix: csr_matrix, l2: float, dropout: float, exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """(B, diagonal of P) as the papers have it, in float64, with numpy's general inverse."""
    x = matrix.toarray().astype(np.float64)
    lengths = x.sum(axis=1)
    weights = np.array([length ** (-2 * exponent) if length else 0.0 for length in lengths])
    weights *= x.sum() / (weights[:, None] * x).sum()
    g = x.T @ np.diag(weights) @ x
    p = np.linalg.inv(g + np.diag(l2 + dropout / (1 - dropout) * np.diag(g)))
    b = np.eye(len(p)) - p / np.diag(p)
    return b, np.diag(p)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("side", ["items", "users"])
@pytest.mark.parametrize("setting", [(20.0, 0.0, 0.0), (5.0, 0.4, 0.0), (10.0, 0.0, 0.3), (8.0, 0.5, 0.5)])
def test_either_side_in_either_precision_gives_the_textbooks_weights(histories, monkeypatch, setting, side, dtype):
    monkeypatch.setattr(room, "_DUAL", 100 if side == "users" else 0)
    monkeypatch.setattr(room, "_EXACT", 10_000 if dtype == "float64" else 0)
    monkeypatch.setattr(room, "_BLOCK", 7 * ITEMS)  # several pieces, the last one shorter
    expected, diagonal = textbook(histories, *setting)
    found = closed_form(histories, *setting)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(found.weights, expected, atol=1e-7 if dtype == "float64" else 1e-5)
    np.testing.assert_allclose(found.diagonal, diagonal, rtol=1e-5)
    assert not found.weights.diagonal().any()
    assert found.weights.dtype == found.diagonal.dtype == np.float32
    assert found.weights.flags.c_contiguous


def test_fewer_users_than_items_are_solved_on_their_side(histories):
    few = histories[:20]
    np.testing.assert_allclose(item_weights(few, 3.0), textbook(few, 3.0, 0.0, 0.0)[0], atol=1e-6)


def test_dropout_equals_the_mean_over_many_dropped_out_histories(histories):
    """EDLAE's own derivation: training on inputs with a share p dropped, in expectation, is the closed form."""
    p, x = 0.3, histories.toarray().astype(np.float64)
    g = x.T @ x
    # E[Z'Z] for Z = X with every entry kept with probability 1 - p: (1 - p)^2 off the diagonal, 1 - p on it.
    expected = (1 - p) ** 2 * g
    np.fill_diagonal(expected, (1 - p) * np.diag(g))
    l2 = 4.0
    inverse = np.linalg.inv(expected / (1 - p) ** 2 + l2 * np.eye(ITEMS))
    np.testing.assert_allclose(item_weights(histories, l2, p), np.eye(ITEMS) - inverse / np.diag(inverse), atol=1e-6)


def test_no_weight_can_be_changed_for_a_smaller_loss(histories):
    """The gradient of |X - X B|^2 + l2 |B|^2 is zero everywhere but on the diagonal, where B is held at zero."""
    x = histories.toarray().astype(np.float64)
    b = item_weights(histories, 6.0).astype(np.float64)
    gradient = x.T @ (x @ b - x) + 6.0 * b
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4
    assert np.abs(x.T @ x).max() > 10


def test_user_weights_keep_the_total_and_at_a_half_make_all_users_equal(histories):
    lengths = np.asarray(histories.sum(axis=1)).ravel()
    np.testing.assert_array_equal(user_weights(histories, 0.0), np.ones(USERS))
    for exponent in (0.2, 0.5):
        np.testing.assert_allclose(user_weights(histories, exponent) @ lengths, lengths.sum())
    np.testing.assert_allclose((user_weights(histories, 0.5) * lengths)[:-1], lengths.sum() / (USERS - 1))
    assert user_weights(histories, 0.5)[-1] == 0


@pytest.mark.parametrize(("dropout", "exponent"), [(0.0, 0.0), (0.5, 0.25)])
def test_leave_one_out_is_refitting_without_that_person(histories, dropout, exponent):
    """Exact, with the penalty and the scale of the weights held, as the formula says."""
    x = histories.toarray().astype(np.float64)
    weights = user_weights(histories, exponent)
    g = x.T @ (weights[:, None] * x)
    penalty = np.diag(5.0 + dropout / (1 - dropout) * np.diag(g))
    p = np.linalg.inv(g + penalty)
    form = ItemWeights(np.eye(ITEMS) - p / np.diag(p), np.diag(p).copy())
    people = np.array([0, 7, 41, USERS - 1])
    visible = x[people] * (np.random.default_rng(1).random((len(people), ITEMS)) < 0.5)
    expected = []
    for person, shown in zip(people, visible, strict=True):
        without = np.linalg.inv(g - weights[person] * np.outer(x[person], x[person]) + penalty)
        expected.append(shown @ (np.eye(ITEMS) - without / np.diag(without)))
    found = leave_one_out(form, csr_matrix(visible), histories[people], weights[people])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    leaking = visible @ form.weights
    assert np.abs(leaking - found).max() > 0.02, "with their own row the scores differ: this is what is left out"


def test_leave_one_out_of_the_fitted_form_is_near_its_exact_value(histories):
    x = histories.toarray().astype(np.float64)
    form = closed_form(histories, 5.0)
    found = leave_one_out(form, histories[:3], histories[:3], np.ones(3))
    for person in range(3):
        without = np.linalg.inv(x.T @ x - np.outer(x[person], x[person]) + 5.0 * np.eye(ITEMS))
        exact = x[person] @ (np.eye(ITEMS) - without / np.diag(without))
        np.testing.assert_allclose(found[person], exact, atol=1e-4)
    assert found.dtype == np.float32


def test_every_stage_is_told_on_either_side(histories):
    for rows in (histories, histories[:20]):
        stages: list[int] = []
        closed_form(rows, 5.0, tell=stages.append)
        assert stages == list(range(1, room.STAGES + 1))


def test_an_l2_that_float32_loses_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(room, "_EXACT", 0)
    same = csr_matrix(np.ones((4000, 30), dtype=np.float32))
    with pytest.raises(TrainingError, match="float32") as caught:
        closed_form(same, 1e-6)
    assert "l2" in caught.value.do
    assert np.isfinite(item_weights(same, 50.0)).all()


def test_a_wrong_inverse_is_noticed():
    matrix = np.diag([1.0, 2.0, 4.0]).astype(np.float32)
    other = np.array([1.0, 2.0, 5.0])
    with pytest.raises(TrainingError, match="wrong by"):
        invert(matrix, lambda z: other * z)


@pytest.mark.parametrize("n", [1, 5, 2500])
def test_the_inverse_is_made_in_place_and_whole(n):
    rng = np.random.default_rng(n)
    low = rng.standard_normal((n, 3))
    scale = 1 + rng.random(n)
    matrix = low @ low.T + np.diag(scale)
    # Woodbury, so that 2,500 rows cost nothing to check.
    inner = np.linalg.inv(np.eye(3) + (low / scale[:, None]).T @ low)
    expected = np.diag(1 / scale) - (low / scale[:, None]) @ inner @ (low / scale[:, None]).T
    room_of_its_own = matrix.ctypes.data
    tracemalloc.start()
    invert(matrix, lambda z: low @ (low.T @ z) + scale * z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matrix.ctypes.data == room_of_its_own
    np.testing.assert_allclose(matrix, expected, atol=1e-10)
    if n == 2500:
        assert peak < 2.2 * 2048**2 * 8, "blocks only, never a second matrix"


def test_the_dual_form_needs_no_more_than_the_system_beside_the_weights(monkeypatch):
    """Gowalla's shape, a fiftieth of it. Its full size: 3.6 GB beside 6.7 GB, 1.5 times the weights."""
    monkeypatch.setattr(room, "_EXACT", 0)
    monkeypatch.setattr(room, "_BLOCK", 2**16)
    rows = csr_matrix(random_array((600, 820), density=0.02, rng=np.random.default_rng(0), dtype=np.float32))
    tracemalloc.start()
    weights = item_weights(rows, 5.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.3 * weights.nbytes
