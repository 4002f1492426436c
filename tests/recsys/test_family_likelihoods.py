"""The likelihoods over chunks of the catalogue, and the objective made of them, against plain autograd in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import logsigmoid

from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.recommender import FitOptions
from recsys.training.batches import DeviceRows
from recsys.training.corruption import Corrupted, Corruption
from recsys.training.likelihoods import LIKELIHOODS, Multinomial
from recsys.training.network import DenoisingNetwork
from recsys.training.objective import Objective
from recsys.training.reconstruction import reconstruction_loss

CPU = torch.device("cpu")
ROWS, N_ITEMS, WIDTH = 40, 25, 6
ALL = sorted(LIKELIHOODS)


def double(batch):
    return replace(batch, value=batch.value.double())


def dense(batch, n_items=N_ITEMS):
    found = torch.zeros((batch.n_rows, n_items), dtype=torch.float64)
    found[batch.row, batch.item] = batch.value.double()
    return found


@pytest.fixture
def histories() -> csr_matrix:
    rng = np.random.default_rng(2)
    rows = np.where(rng.random((ROWS, N_ITEMS)) < 0.4, rng.uniform(0.5, 3, (ROWS, N_ITEMS)), 0).astype(np.float32)
    rows[[0, 17, 39]] = 0
    return csr_matrix(rows)


def corrupted_of(histories, targets="hidden"):
    torch.manual_seed(1)
    config = AutoencoderConfig(mask_low=0.3, mask_high=0.6, targets=targets)
    found = Corruption(config, histories.shape[1])(DeviceRows(histories, CPU).batch(torch.arange(histories.shape[0])))
    return Corrupted(*(double(batch) for batch in (found.shown, found.targets, found.excluded)))


def parameters_of(n_rows=ROWS, n_items=N_ITEMS):
    shapes = ((n_rows, WIDTH), (n_items, WIDTH), (n_items,))
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def per_user(name, logits, corrupted, confidence):
    """Minus the log-likelihood of each user's targets, written out over the whole catalogue."""
    targets, excluded = dense(corrupted.targets), dense(corrupted.excluded) > 0
    count, total = (targets > 0).sum(1), targets.sum(1).clamp(min=1e-12)
    if name == "multinomial":
        log_share = torch.log_softmax(logits.masked_fill(excluded, -torch.inf), 1).masked_fill(targets == 0, 0)
        return -(targets * log_share).sum(1) / total * count
    weight = torch.where(targets > 0, confidence * targets * (count / total)[:, None], 1.0)
    if name == "bernoulli":
        each = -torch.where(targets > 0, logsigmoid(logits), logsigmoid(-logits))
    else:
        each = ((targets > 0).double() - logits).square() / 2
    return (weight * each).masked_fill(excluded, 0).sum(1)


@pytest.mark.parametrize("most", [10**9, ROWS * N_ITEMS, ROWS * 24, ROWS * 7, ROWS, 1])
@pytest.mark.parametrize("targets", ["hidden", "all"])
@pytest.mark.parametrize("name", ALL)
def test_the_loss_and_its_slopes_equal_autograds_whatever_the_chunk(histories, name, targets, most):
    corrupted, parameters = corrupted_of(histories, targets), parameters_of()
    code, weight, bias = parameters
    user_weight = torch.rand(ROWS, dtype=torch.float64) * (corrupted.targets.sizes() > 0)
    count = corrupted.targets.sizes().clamp(min=1)
    expected = per_user(name, code @ weight.T + bias, corrupted, 3.0) @ (user_weight / count)
    loss = reconstruction_loss(
        LIKELIHOODS[name], *parameters, corrupted, user_weight, torch.float64, confidence=3.0, most=most
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(3 * loss, parameters), torch.autograd.grad(3 * expected, parameters), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_the_slopes_pass_torchs_own_check(histories, name):
    corrupted, parameters = corrupted_of(histories[:5]), parameters_of(n_rows=5)
    user_weight = (corrupted.targets.sizes() > 0).double()

    def loss(*given):
        return reconstruction_loss(LIKELIHOODS[name], *given, corrupted, user_weight, torch.float64, most=5 * 7)

    assert torch.autograd.gradcheck(loss, parameters)


@pytest.mark.parametrize("name", ALL)
def test_the_loss_in_bfloat16_is_the_same_to_its_precision(histories, name):
    corrupted = corrupted_of(histories)
    corrupted = Corrupted(
        *(replace(b, value=b.value.float()) for b in (corrupted.shown, corrupted.targets, corrupted.excluded))
    )
    parameters = [p.detach().float() for p in parameters_of()]
    weight = (corrupted.targets.sizes() > 0).float()
    exact, rough = (
        reconstruction_loss(LIKELIHOODS[name], *parameters, corrupted, weight, dtype).item()
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert rough == pytest.approx(exact, rel=0.02)
    assert rough != exact


def test_logits_are_never_made_beyond_the_most_allowed(histories, monkeypatch):
    made = []

    def rows(self, logits):
        made.append(logits.numel())
        return logits.logsumexp(dim=1)

    monkeypatch.setattr(Multinomial, "rows", rows)
    for most in (ROWS * 5, ROWS * 12, 10**9):
        made.clear()
        weight = torch.ones(ROWS, dtype=torch.float64)
        reconstruction_loss(Multinomial(), *parameters_of(), corrupted_of(histories), weight, torch.float64, most=most)
        assert max(made) <= most
        assert sum(made) == ROWS * N_ITEMS


@pytest.mark.parametrize("name", ALL)
def test_a_row_whose_every_item_is_excluded_is_no_trouble(name):
    full = double(DeviceRows(csr_matrix(np.ones((1, 4), dtype=np.float32)), CPU).batch(torch.arange(1)))
    nothing = Corrupted(full, targets=full.keep(torch.zeros(4, dtype=torch.bool)), excluded=full)
    parameters = parameters_of(1, 4)
    loss = reconstruction_loss(
        LIKELIHOODS[name], *parameters, nothing, torch.zeros(1, dtype=torch.float64), torch.float64
    )
    assert loss.item() == 0
    assert all(not slope.any() for slope in torch.autograd.grad(loss, parameters))


def network_of(**settings):
    torch.manual_seed(3)
    config = AutoencoderConfig(layers=[8], bottleneck=WIDTH, dropout=0.0, **settings)
    return DenoisingNetwork(N_ITEMS, config).double(), Objective(config, torch.float64)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ALL)
def test_people_count_with_their_targets_to_the_power_asked_for(histories, name, exponent):
    network, objective = network_of(likelihood=name, user_exponent=exponent)
    corrupted = corrupted_of(histories)
    n = corrupted.targets.sizes().double()
    each = per_user(name, network(corrupted.shown), corrupted, 1.0)
    who = n > 0
    expected = (n[who] ** (exponent - 1) * each[who]).sum() / (n[who] ** exponent).sum()
    loss = objective(network, corrupted, step=0)
    assert loss.value.item() == pytest.approx(expected.item(), rel=1e-9)
    assert loss.weight.item() == pytest.approx((n[who] ** exponent).sum().item())


@pytest.mark.parametrize("settings", [{}, {"likelihood": "gaussian", "variational": True, "contractive": 0.5}])
def test_the_losses_of_a_batchs_parts_add_up_to_the_batchs(histories, settings):
    """What data-parallel training relies on. One direction in all (bottleneck 1) makes the contractive term exact."""
    config = AutoencoderConfig(layers=[8], bottleneck=1, dropout=0.0, beta=0.0, **settings)
    torch.manual_seed(3)
    network, objective = DenoisingNetwork(N_ITEMS, config).double(), Objective(config, torch.float64)
    if config.variational:
        with torch.no_grad():
            network.bottleneck.weight[1:] = 0
            network.bottleneck.bias[1:] = -1e4  # a code without spread, the same in every draw
    whole = corrupted_of(histories)

    def part(batch, rows):
        kept = batch.keep((batch.row >= rows.start) & (batch.row < rows.stop))
        return replace(kept, n_rows=rows.stop - rows.start, row=kept.row - rows.start)

    parts = [
        objective(network, Corrupted(*(part(b, rows) for b in (whole.shown, whole.targets, whole.excluded))), 0)
        for rows in (slice(0, 11), slice(11, ROWS))
    ]
    total = objective(network, whole, 0)
    added = sum(loss.value * loss.weight for loss in parts) / sum(loss.weight for loss in parts)
    assert total.value.item() == pytest.approx(added.item(), rel=1e-9)


@pytest.mark.parametrize("settings", [{"variational": True}, {"contractive": 1.0}, {"likelihood": "bernoulli"}, {}])
def test_a_batch_with_nothing_to_find_has_a_loss_of_zero_and_no_slope(histories, settings):
    network, objective = network_of(**settings)
    batch = double(DeviceRows(histories, CPU).batch(torch.arange(ROWS)))
    nothing = Corrupted(batch, batch.keep(torch.zeros_like(batch.item, dtype=torch.bool)), batch)
    loss = objective(network, nothing, step=0)
    loss.value.backward()
    assert loss.value.item() == 0
    assert loss.weight.item() == 0
    assert not any(p.grad is not None and p.grad.any() for p in network.parameters())


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    """400 people of four tastes among 40 items: each has about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((400, 40))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((400, 40)) < 0.5)).astype(np.float32))


@pytest.mark.parametrize("settings", [{"likelihood": name} for name in ALL] + [{"corruption": "salt-and-pepper"}])
def test_scores_are_what_the_likelihood_says_they_are(tastes, settings):
    """Of a person's own taste each item not shown is touched with probability 1/2, of the other tastes none is."""
    config = AutoencoderConfig(
        linear="none",
        layers=[32],
        bottleneck=8,
        dropout=0.0,
        weight_decay=0.0,
        learning_rate=0.01,
        epochs=30,
        batch_size=50,
        mask_low=0.5,
        mask_high=0.5,
        noise=0.9,
        **settings,
    )
    model = Autoencoder(config).fit(tastes, FitOptions(device="cpu"))
    scores = model.score(tastes)
    seen = tastes.toarray() > 0
    user, item = np.indices(scores.shape)
    own, others = (user % 4 == item % 4) & ~seen, user % 4 != item % 4
    assert scores[own].mean() > scores[others].mean()
    # Half of the history is shown while learning, so an item of one's taste that is not shown is hidden in 1 of 3.
    if config.likelihood == "bernoulli":
        assert 1 / (1 + np.exp(-scores[others].mean())) < 0.05
        assert 1 / (1 + np.exp(-np.median(scores[own]))) == pytest.approx(1 / 3, abs=0.15)
    elif config.likelihood == "gaussian":
        assert scores[others].mean() == pytest.approx(0, abs=0.05)
        assert np.median(scores[own]) == pytest.approx(1 / 3, abs=0.15)
    else:
        share = np.exp(scores - np.log(np.exp(scores).sum(1, keepdims=True)))
        assert share[others].sum(axis=None) / len(scores) < 0.1


def test_more_confidence_in_what_was_touched_raises_the_scores(tastes):
    config = AutoencoderConfig(
        linear="none",
        layers=[16],
        bottleneck=8,
        dropout=0.0,
        weight_decay=0.0,
        learning_rate=0.01,
        epochs=15,
        likelihood="gaussian",
    )
    plain, trusting = (
        Autoencoder(replace(config, confidence=c)).fit(tastes, FitOptions(device="cpu")).score(tastes) for c in (1, 10)
    )
    assert trusting.mean() > plain.mean() + 0.1
