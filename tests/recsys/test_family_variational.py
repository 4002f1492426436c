"""The variational autoencoder: its bound, its annealing, and new histories drawn from its prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.distributions import Normal, kl_divergence

from recsys.errors import SettingError, TrainingError
from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.recommender import FitOptions
from recsys.training.batches import DeviceRows
from recsys.training.corruption import Corruption
from recsys.training.network import DenoisingNetwork
from recsys.training.objective import Objective
from recsys.training.variational import annealed, divergence, reparameterised

CPU = torch.device("cpu")
OPTIONS = FitOptions(device="cpu")
CONFIG = AutoencoderConfig(
    linear="none",
    layers=[32],
    bottleneck=4,
    dropout=0.0,
    weight_decay=0.0,
    learning_rate=0.01,
    epochs=30,
    batch_size=50,
    targets="all",
    mask_low=0.0,
    mask_high=0.0,
    user_exponent=1.0,
    variational=True,
    beta=1.0,
)


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    """400 people of four tastes among 40 items: each has about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((400, 40))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((400, 40)) < 0.5)).astype(np.float32))


@pytest.fixture(scope="module")
def model(tastes):
    return Autoencoder(replace(CONFIG, bottleneck=2, decoder_layers=[32], learning_rate=0.03)).fit(tastes, OPTIONS)


def network_of(model):
    network = DenoisingNetwork(40, model.config)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in model.state().items()})
    return network.eval()


def posterior(model, rows):
    with torch.no_grad():
        return network_of(model).posterior(DeviceRows(rows, CPU).batch(torch.arange(rows.shape[0])))


def test_the_divergence_is_the_one_between_normal_distributions():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 5, dtype=torch.float64)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    np.testing.assert_allclose(divergence(mean, log_variance), expected, rtol=1e-12)
    assert not divergence(torch.zeros(2, 3), torch.zeros(2, 3)).any()


def test_a_reparameterised_draw_has_the_mean_and_variance_asked_for_and_slopes_for_both():
    torch.manual_seed(0)
    mean = torch.full((100_000, 1), 1.5, requires_grad=True)
    log_variance = torch.full((100_000, 1), np.log(0.25).item(), requires_grad=True)
    drawn = reparameterised(mean, log_variance)
    assert drawn.mean().item() == pytest.approx(1.5, abs=0.01)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.01)
    # d/d(log variance) E z^2 = variance
    by_mean, by_variance = torch.autograd.grad(drawn.square().mean(), (mean, log_variance))
    assert by_mean.sum().item() == pytest.approx(2 * 1.5, abs=0.05)
    assert by_variance.sum().item() == pytest.approx(0.25, abs=0.05)


def test_the_weight_of_the_divergence_rises_in_a_straight_line_and_stays():
    assert [annealed(4.0, step, 8) for step in (0, 2, 4, 8, 100)] == [0.0, 1.0, 2.0, 4.0, 4.0]
    assert annealed(0.2, 0, 0) == 0.2


def test_the_loss_holds_the_annealed_divergence_of_every_user(tastes):
    torch.manual_seed(0)
    config = replace(CONFIG, beta=2.0, anneal_steps=10)
    network, objective = DenoisingNetwork(40, config), Objective(config, torch.float32)
    corrupted = Corruption(config, 40)(DeviceRows(tastes, CPU).batch(torch.arange(50)))

    def loss(step):
        torch.manual_seed(1)  # the same draw of codes
        return objective(network, corrupted, step).value.item()

    with torch.no_grad():
        per_target = divergence(*network.posterior(corrupted.shown)).sum() / corrupted.targets.sizes().sum()
    assert loss(5) - loss(0) == pytest.approx(1.0 * per_target.item(), rel=1e-3)
    assert loss(10) - loss(0) == pytest.approx(2.0 * per_target.item(), rel=1e-3)
    assert loss(1000) == loss(10)


def test_a_larger_beta_brings_the_codes_nearer_to_the_prior(tastes):
    distances = []
    for beta in (0.0, 1.0, 20.0):
        model = Autoencoder(replace(CONFIG, beta=beta, epochs=15)).fit(tastes, OPTIONS)
        distances.append(divergence(*posterior(model, tastes)).mean().item())
    free, usual, strict = distances
    assert free > 2 * usual
    assert usual > 10 * strict
    assert strict < 0.1  # beta-VAE's other end: nothing is left of the histories in the code


def test_codes_are_drawn_while_learning_and_their_mean_is_scored(model, tastes):
    mean, _ = posterior(model, tastes)
    np.testing.assert_allclose(model.encode(tastes), mean, atol=1e-5)
    np.testing.assert_array_equal(model.score(tastes), model.score(tastes))
    network, objective = DenoisingNetwork(40, model.config), Objective(model.config, torch.float32)
    corrupted = Corruption(model.config, 40)(DeviceRows(tastes, CPU).batch(torch.arange(50)))
    assert objective(network, corrupted, 0).value.item() != objective(network, corrupted, 0).value.item()


def test_histories_drawn_from_the_prior_are_like_those_learnt_from(model):
    """Each drawn history keeps to one taste, and all four tastes are drawn."""
    drawn = model.sample(400, np.random.default_rng(0), size=4)
    assert drawn.shape == (400, 40)
    np.testing.assert_array_equal(np.diff(drawn.indptr), 4)
    assert set(drawn.data) == {1.0}
    assert drawn.has_canonical_format  # no item twice
    of_taste = np.stack([(drawn.indices.reshape(400, 4) % 4 == taste).sum(axis=1) for taste in range(4)])
    purity = of_taste.max(axis=0).mean() / 4  # items drawn blindly give .52; some codes lie between two tastes
    assert purity > 0.8
    assert np.bincount(of_taste.argmax(axis=0), minlength=4).min() > 20


def test_the_greedy_sample_is_the_best_of_each_code_and_a_seed_gives_one_sample(model):
    drawn = [model.sample(50, np.random.default_rng(5), size=3) for _ in range(2)]
    np.testing.assert_array_equal(drawn[0].toarray(), drawn[1].toarray())
    greedy = model.sample(50, np.random.default_rng(5), size=3, greedy=True).toarray() > 0
    z = np.random.default_rng(5).standard_normal((50, 2)).astype(np.float32)
    network = network_of(model)
    with torch.no_grad():
        scores = network.decode(torch.from_numpy(z), None) @ network.decoder_weight.T + network.decoder_bias
    assert (np.where(greedy, scores, np.inf).min(1) >= np.where(greedy, -np.inf, scores).max(1)).all()


@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian"])
def test_items_are_drawn_with_the_odds_the_scores_stand_for(likelihood):
    config = AutoencoderConfig(layers=[], bottleneck=2, variational=True, likelihood=likelihood)
    odds = np.array([1, 2, 3, 6], dtype=np.float32)
    bias = odds / 12 if likelihood == "gaussian" else np.log(odds)
    state = {"decoder_weight": np.zeros((4, 2), np.float32), "decoder_bias": bias.astype(np.float32)}
    model = Autoencoder(config).restore(state)
    n = 20_000
    first = np.asarray(model.sample(n, np.random.default_rng(0), size=1).sum(axis=0)).ravel() / n
    np.testing.assert_allclose(first, odds / 12, atol=0.015)
    three = np.asarray(model.sample(n, np.random.default_rng(0), size=3).sum(axis=0)).ravel() / n
    orders = [(a, b, c) for a in range(4) for b in range(4) for c in range(4) if len({a, b, c}) == 3]
    expected = np.zeros(4)
    for a, b, c in orders:  # one after the other, each with its odds among those that are left
        chance = odds[a] / 12 * odds[b] / (12 - odds[a]) * odds[c] / (12 - odds[a] - odds[b])
        expected[[a, b, c]] += chance
    np.testing.assert_allclose(three, expected, atol=0.015)


def test_sampling_is_refused_where_there_is_no_prior_nothing_learnt_or_too_few_items(model, tastes):
    rng = np.random.default_rng(0)
    with pytest.raises(SettingError, match="only a variational autoencoder"):
        Autoencoder(AutoencoderConfig()).sample(1, rng)
    with pytest.raises(TrainingError, match="has learnt nothing"):
        Autoencoder(CONFIG).sample(1, rng)
    with pytest.raises(SettingError, match="size must be"):
        model.sample(1, rng, size=41)
