"""Validation: any metric of the evaluation, ranked a piece of the catalogue at a time, over all processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.evaluation.metrics import metric
from recsys.models.autoencoder import AutoencoderConfig
from recsys.recommender import FitOptions, Holdout, top_n
from recsys.training import validation
from recsys.training.batches import DeviceRows
from recsys.training.distributed import Processes
from recsys.training.loop import train_autoencoder
from recsys.training.network import DenoisingNetwork
from recsys.training.validation import Validation, best_items, spare

CPU = torch.device("cpu")
CONFIG = AutoencoderConfig(layers=[8], bottleneck=4, epochs=3, batch_size=32, decoder_layers=[6])


@pytest.fixture(scope="module")
def histories() -> csr_matrix:
    """300 people and 50 items, a fifth of all pairs; three people have nothing."""
    rng = np.random.default_rng(2)
    dense = np.where(rng.random((300, 50)) < 0.2, rng.uniform(0.5, 3, (300, 50)), 0).astype(np.float32)
    dense[[0, 17, 39]] = 0
    return csr_matrix(dense)


@pytest.fixture(scope="module")
def holdout(histories) -> Holdout:
    return Holdout.of(histories, 0.5, np.random.default_rng(0))


@pytest.fixture
def network() -> DenoisingNetwork:
    torch.manual_seed(4)
    return DenoisingNetwork(50, CONFIG)


def scored(network, holdout):
    with torch.no_grad():
        scores = network.eval()(DeviceRows(holdout.given, CPU).batch(torch.arange(300))).numpy()
    network.train()
    return scores


@pytest.mark.parametrize("chunk", [1, 7, 49, 50, 51, 1000])
@pytest.mark.parametrize("k", [1, 20, 50, 100])
def test_the_best_items_are_those_of_the_whole_catalogue_whatever_the_chunk(network, holdout, k, chunk):
    expected, _ = top_n(scored(network, holdout), holdout.given, k)
    with torch.no_grad():
        found = best_items(network.eval(), DeviceRows(holdout.given, CPU).batch(torch.arange(300)), k, chunk).numpy()
    known = expected >= 0  # beyond stand the items given, in any order
    np.testing.assert_array_equal(found[known], expected[known])


@pytest.mark.parametrize("name", ["ndcg@20", "ndcg@100", "recall@5", "recall_capped@20", "hit_rate@1", "map@10", "mrr"])
@pytest.mark.parametrize("most", [10**9, 300, 64])
def test_any_metric_of_the_evaluation_in_pieces_of_any_size(network, holdout, monkeypatch, name, most):
    monkeypatch.setattr(validation, "_MOST_SCORES", most)
    monkeypatch.setattr(validation, "_FEWEST_ROWS", 16)
    items, _ = top_n(scored(network, holdout), holdout.given, 1000)
    hidden = holdout.hidden.toarray() > 0
    hits = np.take_along_axis(hidden, items, axis=1) & (items >= 0)
    asked = hidden.any(axis=1)
    expected = metric(name)(hits, hidden.sum(axis=1))[asked].mean()
    assert Validation(holdout, CPU, name)(network) == pytest.approx(expected, abs=1e-6)
    assert network.training


def test_no_more_is_scored_at_once_than_said_however_large_the_catalogue(network, monkeypatch):
    shapes = []

    def watched(network, given, k, chunk):
        shapes.append((given.n_rows, chunk))
        return torch.zeros((given.n_rows, k), dtype=torch.int64)

    monkeypatch.setattr(validation, "best_items", watched)
    for n_items in (1_000, 100_000, 1_000_000):
        rows = csr_matrix((np.ones(600, np.float32), (np.arange(600), np.arange(600))), shape=(600, n_items))
        Validation(Holdout(rows, rows), CPU)(network)
    assert all(rows * chunk <= 2**24 for rows, chunk in shapes)
    assert min(rows for rows, _ in shapes) == 600 - 2 * 256  # the rest of two full batches


def test_the_parts_of_the_processes_add_up_to_the_whole(network, holdout, monkeypatch):
    sums = []
    monkeypatch.setattr(Processes, "total", lambda _, value: sums.append(value.clone()) or value)
    whole = Validation(holdout, CPU)(network)
    sums.clear()
    for rank in range(7):
        Validation(holdout, CPU, processes=Processes(rank, 7))(network)
    total, count = torch.stack(sums).sum(dim=0).tolist()
    assert count == np.count_nonzero(np.diff(holdout.hidden.indptr))
    assert total / count == pytest.approx(whole, abs=1e-9)


def test_a_process_without_rows_of_its_own_adds_nothing(network, holdout, monkeypatch):
    one = Holdout(holdout.given[1], holdout.hidden[1])
    sums = []
    monkeypatch.setattr(Processes, "total", lambda _, value: sums.append(value.clone()) or torch.ones(2))
    Validation(one, CPU, processes=Processes(1, 2))(network)
    assert sums[0].tolist() == [0, 0]


def test_training_goes_by_the_metric_asked_for(histories):
    told = []
    train_autoencoder(histories, CONFIG, FitOptions(device="cpu", metric="recall@5", on_progress=told.append))
    assert {progress.metric for progress in told} == {"recall@5"}
    hundred = []
    train_autoencoder(histories, CONFIG, FitOptions(device="cpu", on_progress=hundred.append))
    assert [p.loss for p in told] == [p.loss for p in hundred]
    assert [p.value for p in told] != [p.value for p in hundred]


def test_a_metric_that_does_not_exist_is_refused(histories):
    with pytest.raises(SettingError, match="no metric is called 'ndgc@20'"):
        train_autoencoder(histories, CONFIG, FitOptions(device="cpu", metric="ndgc@20"))


def test_those_spared_are_not_trained_on_and_take_their_attributes_along(histories):
    attributes = np.arange(300.0)[:, None]
    learners, spared = spare(histories, FitOptions(attributes=attributes))
    train, known = learners.matrix, learners.attributes
    assert train.shape[0] + spared.given.shape[0] == 300
    assert spared.given.shape[0] == 29  # a tenth of the 297 with two entries or more
    np.testing.assert_array_equal(np.sort(np.concatenate([known, spared.attributes]).ravel()), attributes.ravel())
    whole = (spared.given + spared.hidden).toarray()
    np.testing.assert_array_equal(whole, histories.toarray()[spared.attributes.ravel().astype(int)])
    np.testing.assert_array_equal(train.toarray(), histories.toarray()[known.ravel().astype(int)])


def test_rows_to_stop_by_that_hide_nothing_stop_nothing(histories, holdout):
    empty = replace(holdout, hidden=csr_matrix(holdout.hidden.shape, dtype=np.float32))
    learners, found = spare(histories, FitOptions(validation=empty))
    assert found is None
    assert learners.matrix is histories
