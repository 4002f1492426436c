"""The training rooms one by one: batches, corruption, objective, validation, device; each against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.errors import SettingError, TrainingError
from recsys.evaluation.metrics import metric
from recsys.recommender import Holdout, top_n
from recsys.training.batches import DeviceRows
from recsys.training.corruption import Corrupted, Masking
from recsys.training.device import choose_device, product_dtype, threads_for
from recsys.training.network import DenoisingNetwork
from recsys.training.objective import hidden_likelihood
from recsys.training.validation import Validation

CPU = torch.device("cpu")


@pytest.fixture
def histories() -> csr_matrix:
    rng = np.random.default_rng(2)
    dense = np.where(rng.random((40, 25)) < 0.4, rng.uniform(0.5, 3, (40, 25)), 0).astype(np.float32)
    dense[[0, 17, 39]] = 0
    return csr_matrix(dense)


def batch_of(matrix, users=None):
    users = torch.arange(matrix.shape[0]) if users is None else torch.tensor(users)
    return DeviceRows(matrix, CPU).batch(users)


def dense(batch, n_items):
    found = np.zeros((batch.n_rows, n_items), dtype=np.float32)
    found[batch.row.numpy(), batch.item.numpy()] = batch.value.numpy()
    return found


@pytest.mark.parametrize("users", [[0], [5, 3, 39, 17, 5], list(range(40)), []])
def test_a_batch_holds_the_rows_asked_for_in_that_order(histories, users):
    batch = batch_of(histories, np.array(users, dtype=np.int64))
    np.testing.assert_array_equal(dense(batch, 25), histories.toarray()[users])
    np.testing.assert_array_equal(batch.sizes(), np.diff(histories.indptr)[users])


def test_normalised_rows_have_length_one_and_empty_rows_stay_empty(histories):
    lengths = np.linalg.norm(dense(batch_of(histories).normalised(), 25), axis=1)
    np.testing.assert_allclose(lengths, np.diff(histories.indptr) > 0, atol=1e-6)


def test_masking_shows_or_hides_each_entry_never_both(histories):
    torch.manual_seed(0)
    corrupted = Masking(0.2, 0.8)(batch_of(histories))
    visible, hidden = dense(corrupted.visible, 25), dense(corrupted.hidden, 25)
    np.testing.assert_array_equal(visible + hidden, histories.toarray())
    assert not (visible * hidden).any()
    assert visible.any()
    assert hidden.any()


def test_masking_hides_at_its_rate_and_a_range_draws_one_rate_a_row():
    torch.manual_seed(0)
    batch = batch_of(csr_matrix(np.ones((2000, 200), dtype=np.float32)))
    fixed = (Masking(0.3, 0.3)(batch).hidden.sizes() / 200).numpy()
    drawn = (Masking(0.1, 0.9)(batch).hidden.sizes() / 200).numpy()
    assert fixed.mean() == pytest.approx(0.3, abs=0.01)
    assert fixed.std() == pytest.approx((0.3 * 0.7 / 200) ** 0.5, rel=0.1)  # binomial
    assert drawn.mean() == pytest.approx(0.5, abs=0.03)
    assert drawn.std() == pytest.approx(0.8 / 12**0.5, rel=0.1)  # uniform on (.1, .9)


@pytest.fixture
def problem(histories):
    """A corrupted batch with a code, a decoder and the loss autograd finds for them, written out densely."""
    torch.manual_seed(1)
    corrupted = Masking(0.3, 0.6)(batch_of(histories))
    code = torch.randn(40, 6, requires_grad=True)
    weight, bias = torch.randn(25, 6, requires_grad=True), torch.randn(25, requires_grad=True)
    visible = torch.from_numpy(dense(corrupted.visible, 25) > 0)
    targets = torch.from_numpy(dense(corrupted.hidden, 25))
    logits = (code @ weight.T + bias).masked_fill(visible, -1e9)
    users = targets.sum(1) > 0
    log_share = torch.log_softmax(logits, dim=1)
    each = -(targets * log_share).sum(1)[users] / targets.sum(1)[users]
    user_weight = (targets > 0).sum(1)[users].sqrt()
    loss = (each * user_weight).sum() / user_weight.sum()
    return corrupted, (code, weight, bias), loss


@pytest.mark.parametrize("most", [10**9, 40 * 25, 40 * 24, 40 * 7, 40, 1])
def test_the_likelihood_and_its_slopes_equal_autograds_whatever_the_chunk(problem, most):
    corrupted, parameters, expected = problem
    loss = hidden_likelihood(*parameters, corrupted, torch.float32, most)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(
        torch.autograd.grad(3 * loss, parameters), torch.autograd.grad(3 * expected, parameters), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_likelihood_in_bfloat16_is_the_same_to_its_precision(problem):
    corrupted, parameters, expected = problem
    assert hidden_likelihood(*parameters, corrupted, torch.bfloat16).item() == pytest.approx(expected.item(), rel=0.02)


def test_the_likelihood_of_nothing_hidden_is_zero_with_no_slope(histories):
    batch = batch_of(histories)
    nothing = Corrupted(visible=batch, hidden=batch.keep(torch.zeros(len(batch.item), dtype=torch.bool)))
    code = torch.randn(40, 6, requires_grad=True)
    loss = hidden_likelihood(code, torch.randn(25, 6), torch.randn(25), nothing, torch.float32)
    loss.backward()
    assert loss.item() == 0
    assert not code.grad.any()


def test_the_likelihood_survives_a_row_whose_every_item_is_visible():
    full = batch_of(csr_matrix(np.ones((1, 4), dtype=np.float32)))
    nothing = Corrupted(visible=full, hidden=full.keep(torch.zeros(4, dtype=torch.bool)))
    code = torch.randn(1, 3, requires_grad=True)
    loss = hidden_likelihood(code, torch.randn(4, 3), torch.randn(4), nothing, torch.float32)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(code.grad).all()


def test_every_layer_sees_the_outputs_of_all_layers_before_it():
    network = DenoisingNetwork(10, [4, 3, 2], bottleneck=5, dropout=0.0)
    assert [layer.in_features for layer in network.hidden] == [4, 7]
    assert network.bottleneck.in_features == 9


def test_validation_on_the_device_equals_the_evaluations_ndcg(histories):
    torch.manual_seed(4)
    network = DenoisingNetwork(25, [8], bottleneck=4, dropout=0.5)
    holdout = Holdout.of(histories, 0.5, np.random.default_rng(0))
    rows = torch.arange(40)
    with torch.no_grad():
        scores = network.eval()(DeviceRows(holdout.given, CPU).batch(rows)).numpy()
    items, _ = top_n(scores, holdout.given, 100)
    hidden = holdout.hidden.toarray() > 0
    hits = np.take_along_axis(hidden, items, axis=1) & (items >= 0)
    asked = hidden.any(axis=1)
    expected = metric("ndcg@25")(hits, hidden.sum(axis=1))[asked].mean()
    network.train()
    assert Validation(holdout, CPU)(network) == pytest.approx(expected, abs=1e-6)
    assert network.training


def test_cuda_that_is_not_there_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="'cuda' was asked for") as caught:
        choose_device("cuda")
    assert "--device cpu" in caught.value.do
    assert choose_device("auto") == choose_device("cpu") == CPU


def test_an_unknown_device_is_refused_by_name():
    with pytest.raises(SettingError, match="'abacus'"):
        choose_device("abacus")


def test_small_steps_are_left_to_one_thread_in_float32_and_the_setting_is_put_back():
    before = torch.get_num_threads()
    with threads_for(1000):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with threads_for(10**12):
        assert torch.get_num_threads() == before
    assert product_dtype(CPU, 1000) == torch.float32
