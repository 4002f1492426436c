"""The family as it is used: every preset learns, is saved as plain settings, and is built as its name says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.candidate import train_candidate
from recsys.matrix import Index, InteractionMatrix
from recsys.models import config_of, create
from recsys.models.autoencoder import AutoencoderConfig
from recsys.models.presets import PRESETS
from recsys.recommender import FitOptions, top_n
from recsys.serving.bundle import ModelBundle
from recsys.training.batches import DeviceRows
from recsys.training.network import DenoisingNetwork

N_USERS, N_ITEMS = 120, 30
QUICK = {"epochs": 40, "batch_size": 30, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def board() -> csr_matrix:
    """120 users, 30 items: even users like even items, odd users odd ones; user u has not yet found item u % 30."""
    user, item = np.indices((N_USERS, N_ITEMS))
    return csr_matrix(((user % 2 == item % 2) & (item != user % N_ITEMS)).astype(np.float32))


def options(config):
    attributes = np.eye(2)[np.arange(N_USERS) % 2] if config.conditional else None
    return FitOptions(device="cpu", attributes=attributes)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"default", "beta-vae"}))
def test_with_every_preset_the_item_a_user_has_not_found_yet_comes_first(preset, board):
    model = create("autoencoder", preset=preset, **QUICK)
    model.fit(board, options(model.config))
    items, _ = top_n(model.score(board), board, 1)
    np.testing.assert_array_equal(items[:, 0], np.arange(N_USERS) % N_ITEMS)


def test_a_beta_of_four_leaves_less_of_a_history_in_its_code_than_mult_vaes(board):
    """Its codes keep nearer to the prior; so it is no preset to recommend by, and is not asked to be one."""
    spread = {}
    for preset in ("mult-vae", "beta-vae"):
        model = create("autoencoder", preset=preset, **{**QUICK, "epochs": 20}).fit(board, FitOptions(device="cpu"))
        spread[preset] = np.square(model.encode(board)).sum(axis=1).mean()
    assert spread["beta-vae"] < 0.5 * spread["mult-vae"]


def test_a_bundle_holds_the_settings_a_preset_stood_for_and_scores_the_same(board, tmp_path):
    users = Index(np.array([f"u{k}" for k in range(N_USERS)], dtype=object))
    items = Index(np.array([f"i{k}" for k in range(N_ITEMS)], dtype=object))
    data = InteractionMatrix(board, users, items)
    settings = {"preset": "mult-vae", **QUICK, "epochs": 2, "layers": [40]}
    bundle = train_candidate("autoencoder", settings, data, FitOptions(device="cpu"))
    assert "preset" not in bundle.card["config"]
    assert bundle.card["config"]["variational"] is True
    assert list(bundle.card["config"]["layers"]) == [40]
    bundle.save(tmp_path / "bundle")
    restored = ModelBundle.load(tmp_path / "bundle").model
    assert config_of(restored) == config_of(bundle.model)
    np.testing.assert_array_equal(restored.score(board), bundle.model.score(board))


def test_input_dropout_thins_the_history_and_scales_the_rest_up_in_training_only(board):
    torch.manual_seed(0)
    network = DenoisingNetwork(
        N_ITEMS, AutoencoderConfig(layers=[], bottleneck=N_ITEMS, input_dropout=0.4, dropout=0.0)
    )
    with torch.no_grad():
        network.input_weight.copy_(torch.eye(N_ITEMS))  # the first layer's sums are the history it was shown
    batch = DeviceRows(board, torch.device("cpu")).batch(torch.arange(N_USERS))
    unit = board.toarray() / np.linalg.norm(board.toarray(), axis=1, keepdims=True)
    with torch.no_grad():
        np.testing.assert_allclose(network.eval().first(batch), unit, atol=1e-6)
        shown = network.train().first(batch).numpy()
    kept = shown > 0
    assert not kept[unit == 0].any()
    assert kept[unit > 0].mean() == pytest.approx(0.6, abs=0.05)
    np.testing.assert_allclose(shown[kept], unit[kept] / 0.6, rtol=1e-5)


def test_without_norms_the_weights_start_at_glorots_scale():
    torch.manual_seed(0)
    network = DenoisingNetwork(3000, AutoencoderConfig(**PRESETS["plain-600-200-600"]))
    for weight in (network.input_weight, network.bottleneck.weight, network.decoder[0].weight, network.decoder_weight):
        assert weight.std().item() == pytest.approx((2 / sum(weight.shape)) ** 0.5, rel=0.05)


def test_the_plain_yardstick_has_the_layers_of_its_name():
    network = DenoisingNetwork(50, AutoencoderConfig(**PRESETS["plain-600-200-600"]))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items() if value.ndim > 1}
    assert shapes == {
        "input_weight": (50, 600),
        "bottleneck.weight": (200, 600),
        "decoder.0.weight": (600, 200),
        "decoder_weight": (50, 600),
    }
