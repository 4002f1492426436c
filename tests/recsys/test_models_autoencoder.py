"""The autoencoder's numpy scoring against torch's forward pass, and its settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.training.batches import DeviceRows
from recsys.training.network import DenoisingNetwork


@pytest.mark.parametrize("layers", [[24], [24, 24, 24], [40, 8, 16]])
def test_scoring_in_numpy_equals_torchs_forward(layers):
    torch.manual_seed(0)
    network = DenoisingNetwork(200, layers, bottleneck=12, dropout=0.5).eval()
    with torch.no_grad():  # away from its start, so that a bias or a norm left out would show
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    rng = np.random.default_rng(1)
    rows = np.where(rng.random((50, 200)) < 0.1, rng.uniform(0.2, 5, (50, 200)), 0).astype(np.float32)
    rows[3] = 0
    histories = csr_matrix(rows)
    with torch.no_grad():
        theirs = network(DeviceRows(histories, torch.device("cpu")).batch(torch.arange(50))).numpy()
    model = Autoencoder(AutoencoderConfig(layers=layers, bottleneck=12)).restore(network.arrays())
    assert theirs.std() > 1
    np.testing.assert_allclose(model.score(histories), theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


def test_only_the_proportions_of_strengths_matter():
    torch.manual_seed(0)
    model = Autoencoder(AutoencoderConfig(layers=[8], bottleneck=4))
    model.restore(DenoisingNetwork(6, [8], bottleneck=4, dropout=0.0).arrays())
    once = csr_matrix(np.array([[1, 0, 2, 0, 0, 1]], dtype=np.float32))
    np.testing.assert_allclose(model.score(once * 7), model.score(once), rtol=1e-6)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("layers", []),
        ("layers", "600"),
        ("layers", 600),
        ("layers", [600, 0]),
        ("bottleneck", 0),
        ("mask_low", -0.1),
        ("mask_high", 1.5),
        ("dropout", 1.0),
        ("learning_rate", -1),
        ("weight_decay", float("nan")),
        ("batch_size", 0),
        ("epochs", 0),
        ("patience", 0),
        ("average", 1.0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(setting, value):
    with pytest.raises(SettingError, match=f"{setting} must be"):
        AutoencoderConfig(**{setting: value})


def test_the_highest_mask_is_not_under_the_lowest():
    with pytest.raises(SettingError, match="mask_high"):
        AutoencoderConfig(mask_low=0.6, mask_high=0.5)
