"""Negatives: the sampled denominator against the whole one, over many draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.training.batches import Batch, DeviceRows
from recsys.training.corruption import Corrupted, Corruption
from recsys.training.negatives import Negatives
from recsys.training.network import DenoisingNetwork
from recsys.training.objective import Objective

CPU = torch.device("cpu")
N_ITEMS = 30


@pytest.fixture
def rows() -> DeviceRows:
    """60 people; items from popular to touched by nobody."""
    rng = np.random.default_rng(0)
    chance = 0.6 * np.linspace(1, 0, N_ITEMS) ** 3
    return DeviceRows(csr_matrix((rng.random((60, N_ITEMS)) < chance).astype(np.float32)), CPU)


def corrupted_of(rows, users=range(10)):
    torch.manual_seed(0)
    config = AutoencoderConfig(mask_low=0.4, mask_high=0.6)
    found = Corruption(config, N_ITEMS)(rows.batch(torch.tensor(list(users))))
    parts = (found.shown, found.targets, found.excluded)
    return Corrupted(*(replace(batch, value=batch.value.double()) for batch in parts))


def test_every_target_has_a_place_and_is_numbered_by_it(rows):
    corrupted = corrupted_of(rows)
    items, log_chance, local = Negatives(rows, 5)(corrupted)
    assert (items.diff() > 0).all()
    assert log_chance.shape == items.shape
    assert (log_chance <= 0).all()
    assert set(corrupted.targets.item.tolist()) <= set(items.tolist())
    assert len(items) <= len(set(corrupted.targets.item.tolist())) + 5
    torch.testing.assert_close(items[local.targets.item], corrupted.targets.item)
    torch.testing.assert_close(local.targets.row, corrupted.targets.row)
    torch.testing.assert_close(local.targets.value, corrupted.targets.value)


def test_of_what_is_excluded_the_items_drawn_stay_and_keep_their_people(rows):
    corrupted = corrupted_of(rows)
    items, _, local = Negatives(rows, 5)(corrupted)
    left = {(r, i) for r, i in zip(*map(torch.Tensor.tolist, _entries(corrupted.excluded)), strict=True)}
    kept = {(r, items[i].item()) for r, i in zip(*map(torch.Tensor.tolist, _entries(local.excluded)), strict=True)}
    assert kept == {(r, i) for r, i in left if i in set(items.tolist())}
    assert 0 < len(kept) < len(left)
    assert local.shown is corrupted.shown


def _entries(batch):
    return batch.row, batch.item


def test_the_sampled_denominator_is_right_on_average(rows):
    """Over batches whose targets come by popularity and over draws: the mean is the whole sum, also of each item."""
    negatives, share = Negatives(rows, 8), rows.item_shares()
    torch.manual_seed(0)
    n, found = 4000, []
    none = torch.zeros(0, dtype=torch.int64)
    for _ in range(n):
        item = torch.multinomial(share, 12, replacement=True)
        targets = Batch(12, torch.arange(12), item, torch.ones(12))
        items, log_chance, _ = negatives(Corrupted(targets, targets, Batch(12, none, none, torch.zeros(0))))
        found.append(torch.zeros(N_ITEMS).index_put((items,), torch.exp(-log_chance)))
    counts = torch.stack(found)
    error = counts.std(dim=0) / n**0.5
    np.testing.assert_array_less(error, 0.05)
    np.testing.assert_array_less((counts.mean(dim=0) - 1).abs(), 4.5 * error + 1e-6)
    exponentials = torch.randn(N_ITEMS).exp()
    sums = counts @ exponentials
    assert sums.mean().item() == pytest.approx(exponentials.sum().item(), abs=4.5 * sums.std().item() / n**0.5)


def network_of(config):
    torch.manual_seed(1)
    return DenoisingNetwork(N_ITEMS, config).double()


def slopes(network, loss):
    return torch.autograd.grad(loss.value, list(network.parameters()))


def test_with_every_item_drawn_the_loss_and_its_slopes_are_the_whole_ones(rows):
    config = AutoencoderConfig(layers=[8], bottleneck=5, dropout=0.0)
    corrupted = corrupted_of(rows, range(60))
    network = network_of(config)
    whole = Objective(config, torch.float64)(network, corrupted, 0)
    sampled = Objective(config, torch.float64, Negatives(rows, 5000))(network, corrupted, 0)
    assert sampled.value.item() == pytest.approx(whole.value.item(), rel=1e-6)
    for one, other in zip(slopes(network, sampled), slopes(network, whole), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


def test_the_slopes_of_a_sample_are_near_the_whole_ones_on_average(rows):
    """A ratio of estimates has a bias that falls with the sample; without the chances it would be far larger."""
    config = AutoencoderConfig(layers=[8], bottleneck=5, dropout=0.0)
    network = network_of(config)
    corrupted = corrupted_of(rows, range(60))
    negatives = Negatives(rows, 20)

    def mean_slope(sampler):
        objective = Objective(config, torch.float64, sampler)
        torch.manual_seed(2)
        return torch.stack(
            [torch.autograd.grad(objective(network, corrupted, 0).value, network.decoder_bias)[0] for _ in range(300)]
        ).mean(dim=0)

    def unweighted(given):
        items, log_chance, local = negatives(given)
        return items, torch.zeros_like(log_chance), local

    whole = torch.autograd.grad(Objective(config, torch.float64)(network, corrupted, 0).value, network.decoder_bias)[0]
    assert (mean_slope(negatives) - whole).norm() < 0.1 * whole.norm()
    assert (mean_slope(unweighted) - whole).norm() > 1.5 * (mean_slope(negatives) - whole).norm()


def test_a_catalogue_of_one_item_and_a_batch_without_targets_are_no_trouble():
    rows = DeviceRows(csr_matrix(np.ones((3, 1), dtype=np.float32)), CPU)
    batch = rows.batch(torch.arange(3))
    nothing = Corrupted(batch, batch.keep(torch.zeros(3, dtype=torch.bool)), batch)
    items, log_chance, local = Negatives(rows, 4)(nothing)
    assert items.tolist() == [0]
    assert torch.isfinite(log_chance).all()
    assert len(local.targets.item) == 0
