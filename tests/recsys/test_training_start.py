"""spectral_start: what a network begins with where its start is spectral."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.linear.filters import normalised
from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.recommender import FitOptions
from recsys.training.loop import train_autoencoder
from recsys.training.network import DenoisingNetwork
from recsys.training.start import spectral_start

N_USERS, N_ITEMS = 70, 24


@pytest.fixture(scope="module")
def matrix() -> csr_matrix:
    rng = np.random.default_rng(0)
    own = np.arange(N_USERS)[:, None] % 5 == np.arange(N_ITEMS) % 5
    return csr_matrix((rng.random((N_USERS, N_ITEMS)) < np.where(own, 0.6, 0.1)).astype(np.float32))


def network_of(**settings):
    torch.manual_seed(0)
    return DenoisingNetwork(N_ITEMS, AutoencoderConfig(**settings))


def directions(matrix):
    """(n_items, r) right singular vectors of the normalised matrix, the largest entry of each positive."""
    vectors = np.linalg.svd(normalised(matrix, 0.25, 0.4).toarray().astype(np.float64))[2].T
    return vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(N_ITEMS)])


def test_first_layer_and_decoder_become_the_leading_directions(matrix):
    network = network_of(layers=[6, 5], bottleneck=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    spectral_start(network, matrix, seed=0)
    leading = directions(matrix) * N_ITEMS**0.5
    np.testing.assert_allclose(network.input_weight.detach(), leading[:, :6], atol=1e-3)
    np.testing.assert_allclose(network.decoder_weight.detach(), leading[:, :4] / 4**0.5, atol=1e-3)
    passed = torch.zeros(4, 11)
    passed[torch.arange(4), torch.arange(4)] = 1
    torch.testing.assert_close(network.bottleneck.weight.detach() - before["bottleneck.weight"], passed)
    changed = {"input_weight", "decoder_weight", "bottleneck.weight"}
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (name not in changed)


def test_the_scale_is_that_of_a_random_start(matrix):
    random, spectral = (network_of(layers=[16], bottleneck=10) for _ in range(2))
    spectral_start(spectral, matrix, seed=0)
    for name in ("input_weight", "decoder_weight"):
        one, other = (getattr(network, name).square().mean().item() for network in (random, spectral))
        assert other == pytest.approx(one, rel=0.2)


def test_what_there_are_no_directions_for_stays_as_it_was(matrix):
    few = matrix[:9]
    network = network_of(layers=[20], bottleneck=12)
    first, last = network.input_weight.detach().clone(), network.decoder_weight.detach().clone()
    code = network.bottleneck.weight.detach().clone()
    spectral_start(network, few, seed=0)
    rank = 8  # one less than people
    assert not torch.isclose(network.input_weight[:, :rank], first[:, :rank]).all(dim=0).any()
    assert torch.equal(network.input_weight[:, rank:], first[:, rank:])
    assert torch.equal(network.decoder_weight[:, rank:], last[:, rank:])
    passed = torch.zeros(12, 20)
    passed[torch.arange(rank), torch.arange(rank)] = 1
    torch.testing.assert_close(network.bottleneck.weight.detach() - code, passed)
    gram = network.input_weight[:, :rank].T @ network.input_weight[:, :rank] / N_ITEMS
    np.testing.assert_allclose(gram.detach(), np.eye(rank), atol=1e-3)


def test_fewer_directions_than_the_shape_promises_leave_the_rest_as_well():
    """Three tastes and nothing else: rank 3 of a matrix of 30 by 24."""
    tastes = csr_matrix((np.arange(30)[:, None] % 3 == np.arange(N_ITEMS) % 3).astype(np.float32))
    network = network_of(layers=[10], bottleneck=6)
    first = network.input_weight.detach().clone()
    spectral_start(network, tastes, seed=0)
    assert torch.equal(network.input_weight[:, 3:], first[:, 3:])
    assert not torch.isclose(network.input_weight[:, :3], first[:, :3]).all(dim=0).any()


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_where_there_is_no_direction_but_one_nothing_changes(shape):
    torch.manual_seed(0)
    network = DenoisingNetwork(shape[1], AutoencoderConfig(layers=[4], bottleneck=3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    spectral_start(network, csr_matrix(np.ones(shape, dtype=np.float32)), seed=0)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({"layers": []}, 0),
        ({"layers": [6], "decoder_layers": [7]}, 4),
        ({"layers": [6], "variational": True}, 4),
        ({"layers": [6, 3], "dense": False}, 0),
    ],
    ids=["log-linear", "decoder layers", "variational", "plain"],
)
def test_every_network_starts_so_and_only_codes_that_see_the_first_layer_are_told_it(matrix, settings, passes):
    network = network_of(bottleneck=4, **settings)
    before = None if network.bottleneck is None else network.bottleneck.weight.detach().clone()
    spectral_start(network, matrix, seed=0)
    leading = directions(matrix) * N_ITEMS**0.5
    width = network.input_weight.shape[1]
    np.testing.assert_allclose(network.input_weight.detach(), leading[:, :width], atol=1e-3)
    if before is not None:
        assert (network.bottleneck.weight != before).sum() == passes


def test_training_starts_so_when_asked_to(matrix, monkeypatch):
    started = []
    monkeypatch.setattr("recsys.training.loop.spectral_start", lambda *given: started.append(given))
    config = AutoencoderConfig(layers=[4], bottleneck=3, epochs=1)
    for start in ("random", "spectral"):
        train_autoencoder(matrix, AutoencoderConfig(**{**vars(config), "start": start}), FitOptions("cpu", seed=5))
    assert [given[2] for given in started] == [5]
    assert started[0][1].shape == matrix.shape
