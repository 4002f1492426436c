"""Corruption: each kind of noise does what its name says, and the targets are what the setting says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.models.autoencoder import AutoencoderConfig
from recsys.training.batches import DeviceRows
from recsys.training.corruption import Corruption, GaussianNoise, Masking, SaltAndPepper

CPU = torch.device("cpu")
N_ITEMS = 400


def batch_of(rows, attributes=None):
    return DeviceRows(csr_matrix(rows), CPU, attributes).batch(torch.arange(rows.shape[0]))


def dense(batch, n_items):
    found = np.zeros((batch.n_rows, n_items), dtype=np.float32)
    found[batch.row.numpy(), batch.item.numpy()] = batch.value.numpy()
    return found


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def histories() -> np.ndarray:
    rng = np.random.default_rng(2)
    rows = np.where(rng.random((500, N_ITEMS)) < 0.2, rng.uniform(0.5, 3, (500, N_ITEMS)), 0).astype(np.float32)
    rows[[0, 17, 499]] = 0
    return rows


def test_masking_shows_or_hides_each_entry_never_both(histories):
    batch = batch_of(histories)
    shown, hidden = Masking(0.2, 0.8)(batch)
    shown, hidden = dense(shown, N_ITEMS), dense(batch.keep(hidden), N_ITEMS)
    np.testing.assert_array_equal(shown + hidden, histories)
    assert not (shown * hidden).any()
    assert shown.any()
    assert hidden.any()


def test_masking_hides_at_its_rate_and_a_range_draws_one_rate_a_row():
    batch = batch_of(np.ones((2000, 200), dtype=np.float32))
    fixed = (batch.keep(Masking(0.3, 0.3)(batch)[1]).sizes() / 200).numpy()
    drawn = (batch.keep(Masking(0.1, 0.9)(batch)[1]).sizes() / 200).numpy()
    assert fixed.mean() == pytest.approx(0.3, abs=0.01)
    assert fixed.std() == pytest.approx((0.3 * 0.7 / 200) ** 0.5, rel=0.1)  # binomial
    assert drawn.mean() == pytest.approx(0.5, abs=0.03)
    assert drawn.std() == pytest.approx(0.8 / 12**0.5, rel=0.1)  # uniform on (.1, .9)


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_gaussian_noise_is_normal_on_the_entries_in_the_rows_own_measure_and_nothing_on_the_zeros(histories, scale):
    batch = batch_of(histories * scale)
    shown, hidden = GaussianNoise(0.3)(batch)
    assert not hidden.any()
    moved = dense(shown, N_ITEMS) - histories * scale
    assert not moved[histories == 0].any()
    sizes = np.sqrt((histories**2).sum(1) / np.maximum((histories > 0).sum(1), 1)) * scale
    measured = (moved / np.maximum(sizes, 1e-9)[:, None])[histories > 0]
    assert measured.mean() == pytest.approx(0, abs=0.005)
    assert measured.std() == pytest.approx(0.3, rel=0.02)
    assert np.mean(np.abs(measured) > 0.6) == pytest.approx(0.0455, abs=0.005)  # two deviations


def test_pepper_takes_half_the_share_away_and_salt_adds_as_many_items_never_touched(histories):
    batch = batch_of(histories)
    shown, hidden = SaltAndPepper(0.4, N_ITEMS)(batch)
    seen, touched = dense(shown, N_ITEMS), histories > 0
    removed, added = touched & (seen == 0), ~touched & (seen > 0)
    np.testing.assert_array_equal(removed, dense(batch.keep(hidden), N_ITEMS) > 0)
    np.testing.assert_array_equal(seen[touched & ~removed], histories[touched & ~removed])
    assert removed.sum() / touched.sum() == pytest.approx(0.2, abs=0.01)
    # Of every 5 draws one is in the history already, and of the rest few occur twice.
    assert added.sum() / touched.sum() == pytest.approx(0.2 * 0.8, abs=0.01)
    np.testing.assert_array_equal(seen[added], np.broadcast_to(histories.max(1, keepdims=True), seen.shape)[added])
    empty = ~touched.any(axis=1)
    assert not seen[empty].any()


def test_salt_is_spread_evenly_over_the_catalogue_and_the_batch_stays_sorted():
    batch = batch_of(np.eye(1, 50, dtype=np.float32).repeat(40_000, axis=0))
    shown, _ = SaltAndPepper(1.0, 50)(batch)
    salt = dense(shown, 50)[:, 1:].sum(axis=0)
    np.testing.assert_allclose(salt, 20_000 / 50, atol=5 * 20)  # five deviations of a binomial
    assert (np.diff(shown.row.numpy()) >= 0).all()


@pytest.mark.parametrize("corruption", ["masking", "salt-and-pepper"])
def test_hidden_targets_are_what_was_taken_away_and_what_is_left_is_out_of_the_question(histories, corruption):
    corrupted = Corruption(AutoencoderConfig(corruption=corruption), N_ITEMS)(batch_of(histories))
    shown, targets, excluded = (dense(b, N_ITEMS) for b in (corrupted.shown, corrupted.targets, corrupted.excluded))
    np.testing.assert_array_equal(targets + excluded, histories)
    assert not ((targets > 0) & (shown > 0)).any()  # a target is never an input
    np.testing.assert_array_equal(excluded, np.where(histories > 0, shown, 0))
    assert targets.any()


@pytest.mark.parametrize("corruption", ["masking", "gaussian", "salt-and-pepper"])
def test_targets_all_are_the_clean_history_among_all_items(histories, corruption):
    corrupted = Corruption(AutoencoderConfig(corruption=corruption, targets="all"), N_ITEMS)(batch_of(histories))
    np.testing.assert_array_equal(dense(corrupted.targets, N_ITEMS), histories)
    assert len(corrupted.excluded.item) == 0
    assert (dense(corrupted.shown, N_ITEMS) != histories).any()


def test_attributes_are_kept_from_the_network_for_their_share_of_people_all_at_once(histories):
    attributes = np.ones((500, 3), dtype=np.float32)
    config = AutoencoderConfig(conditional=True, attribute_dropout=0.3)
    corrupted = Corruption(config, N_ITEMS)(batch_of(histories, attributes))
    lost = np.isnan(corrupted.shown.attributes.numpy())
    np.testing.assert_array_equal(lost.any(axis=1), lost.all(axis=1))
    assert lost[:, 0].mean() == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize(
    "settings", [{}, {"corruption": "salt-and-pepper"}, {"corruption": "gaussian", "targets": "all"}]
)
def test_a_batch_without_a_single_entry_is_no_trouble(settings):
    batch = batch_of(np.zeros((4, 7), dtype=np.float32))
    corrupted = Corruption(AutoencoderConfig(**settings), 7)(batch)
    assert corrupted.shown.n_rows == 4
    assert len(corrupted.shown.item) == len(corrupted.targets.item) == 0
