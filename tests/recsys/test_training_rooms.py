"""The training rooms one by one: batches, network, validation, device; each against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.errors import SettingError, TrainingError
from recsys.evaluation.metrics import metric
from recsys.models.autoencoder import AutoencoderConfig
from recsys.recommender import Holdout, top_n
from recsys.training.batches import DeviceRows
from recsys.training.device import choose_device, product_dtype, threads_for
from recsys.training.network import DenoisingNetwork
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


def test_every_layer_sees_the_outputs_of_all_layers_before_it():
    network = DenoisingNetwork(10, AutoencoderConfig(layers=[4, 3, 2], bottleneck=5))
    assert [layer.in_features for layer in network.hidden] == [4, 7]
    assert network.bottleneck.in_features == 9


def test_validation_on_the_device_equals_the_evaluations_ndcg(histories):
    torch.manual_seed(4)
    network = DenoisingNetwork(25, AutoencoderConfig(layers=[8], bottleneck=4))
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
