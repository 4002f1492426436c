"""The contractive penalty against the Jacobian itself, and what it does to a code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.recommender import FitOptions
from recsys.training.batches import Batch, DeviceRows
from recsys.training.contractive import squared_slopes
from recsys.training.network import DenoisingNetwork

CPU = torch.device("cpu")
N_ITEMS = 12
NETWORKS = {
    "dense, swish and norms": {"layers": [7, 5]},
    "plain tanh": {"layers": [7, 5], "dense": False, "activation": "tanh", "code_activation": "tanh", "norm": False},
    "Rifai's one layer": {"layers": [], "code_activation": "sigmoid"},
    "the mean of a variational code": {"layers": [7], "variational": True},
}


def double(batch):
    return replace(batch, value=batch.value.double())


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(2)
    rows = np.where(rng.random((6, N_ITEMS)) < 0.5, rng.uniform(0.5, 3, (6, N_ITEMS)), 0).astype(np.float32)
    rows[2] = 0
    return double(DeviceRows(csr_matrix(rows), CPU).batch(torch.arange(6)))


def network_of(bottleneck, settings):
    torch.manual_seed(0)
    return DenoisingNetwork(N_ITEMS, AutoencoderConfig(bottleneck=bottleneck, dropout=0.0, **settings)).double().eval()


def exact(network, batch):
    """(rows,) squared Frobenius norms of the Jacobian of the code by the unit-length history, by plain autograd."""
    unit = batch.normalised()
    x = torch.zeros(batch.n_rows, len(network.input_weight), dtype=torch.float64)
    x[unit.row, unit.item] = unit.value

    def code(row):
        return network.code(row[None] @ network.input_weight + network.input_bias)[0]

    jacobians = [torch.autograd.functional.jacobian(code, row, create_graph=True) for row in x]
    return torch.stack([jacobian.square().sum() for jacobian in jacobians])


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_the_estimates_mean_is_the_exact_norm(batch, settings):
    network = network_of(5, settings)
    torch.manual_seed(1)
    draws = torch.stack([squared_slopes(network, batch).detach() for _ in range(1500)])
    error = (draws.std(dim=0) / 1500**0.5).numpy()
    np.testing.assert_allclose(draws.mean(dim=0), exact(network, batch).detach(), atol=5 * error.max())
    assert (error < 0.05 * draws.mean(dim=0).numpy()).all()  # so the line above says something


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_of_a_code_of_one_number_the_estimate_and_its_slopes_are_exact(batch, settings):
    network = network_of(1, settings)
    ours, theirs = squared_slopes(network, batch), exact(network, batch)
    np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-9)
    parameters = [p for name, p in network.named_parameters() if not name.startswith("decoder")]
    for one, other in zip(
        torch.autograd.grad(ours.sum(), parameters, allow_unused=True),
        torch.autograd.grad(theirs.sum(), parameters, allow_unused=True),
        strict=True,
    ):
        one, other = (torch.zeros(1) if slope is None else slope for slope in (one, other))
        np.testing.assert_allclose(*torch.broadcast_tensors(one, other), rtol=1e-6, atol=1e-9)


def test_the_penalty_makes_a_code_that_moves_less():
    rng = np.random.default_rng(0)
    user, item = np.indices((180, 40))  # too few to hold any out: every epoch is trained
    tastes = csr_matrix(((user % 4 == item % 4) & (rng.random((180, 40)) < 0.5)).astype(np.float32))
    config = AutoencoderConfig(
        linear="none",
        layers=[],
        bottleneck=6,
        code_activation="sigmoid",
        dropout=0.0,
        weight_decay=0.0,
        learning_rate=0.05,
        epochs=40,
    )
    norms = {}
    for weight in (0.0, 0.1):
        model = Autoencoder(replace(config, contractive=weight)).fit(tastes, FitOptions(device="cpu"))
        network = DenoisingNetwork(40, model.config)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in model.state().items()})
        norms[weight] = exact(network.double(), double(DeviceRows(tastes, CPU).batch(torch.arange(40)))).mean().item()
        best = model.score(tastes).argmax(axis=1)
        assert (best % 4 == np.arange(180) % 4).mean() > 0.9  # and still knows the tastes
    assert norms[0.1] < 0.5 * norms[0.0]
