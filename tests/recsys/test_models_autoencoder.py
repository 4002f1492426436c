"""The autoencoder's numpy scoring against torch's forward pass, for the whole family; and its settings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.models import config_of, create
from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.models.presets import PRESETS
from recsys.training.batches import DeviceRows
from recsys.training.network import DenoisingNetwork

CPU = torch.device("cpu")
FAMILY = {
    "one-layer": {"layers": [24]},
    "default-depth": {"layers": [24, 24, 24]},
    "uneven": {"layers": [40, 8, 16]},
    "no-hidden-layer": {"layers": []},
    "stacked": {"layers": [40, 8, 16], "dense": False},
    "classic": {"layers": [24], "decoder_layers": [30], "dense": False, "activation": "tanh", "norm": False},
    "deep-decoder": {"layers": [24], "decoder_layers": [30, 20], "code_activation": "sigmoid"},
    "relu-without-norm": {"layers": [24, 8], "activation": "relu", "norm": False},
    "sigmoid": {"layers": [24], "activation": "sigmoid", "code_activation": "tanh"},
    "variational": {"layers": [24, 24], "variational": True},
    "variational-log-linear": {"layers": [], "variational": True, "decoder_layers": [16]},
    "conditional": {"layers": [24, 8], "conditional": True},
    "conditional-log-linear": {"layers": [], "conditional": True, "decoder_layers": [9]},
    "cvae": {"layers": [24], "conditional": True, "variational": True, "decoder_layers": [24], "norm": False},
}
N_ITEMS, N_ATTRIBUTES = 200, 5


@pytest.fixture
def histories() -> csr_matrix:
    rng = np.random.default_rng(1)
    rows = np.where(rng.random((50, N_ITEMS)) < 0.1, rng.uniform(0.2, 5, (50, N_ITEMS)), 0).astype(np.float32)
    rows[3] = 0
    return csr_matrix(rows)


@pytest.fixture
def attributes() -> np.ndarray:
    rng = np.random.default_rng(2)
    found = rng.normal(1, 1, (50, N_ATTRIBUTES)).astype(np.float32)
    found[rng.random(found.shape) < 0.2] = np.nan
    return found


def network_of(config: AutoencoderConfig, n_items: int = N_ITEMS) -> DenoisingNetwork:
    """A network away from its start, so that a bias or a norm left out would show."""
    torch.manual_seed(0)
    mean = np.linspace(0.1, 0.9, N_ATTRIBUTES).astype(np.float32) if config.conditional else None
    network = DenoisingNetwork(n_items, config, mean).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("settings", FAMILY.values(), ids=FAMILY)
def test_scoring_in_numpy_equals_torchs_forward(settings, histories, attributes):
    config = AutoencoderConfig(bottleneck=12, **settings)
    network = network_of(config)
    known = attributes if config.conditional else None
    with torch.no_grad():
        theirs = network(DeviceRows(histories, CPU, known).batch(torch.arange(50))).numpy()
    model = Autoencoder(config).restore(network.arrays())
    scores = model.score(histories, known)
    assert theirs.std() > 0.5
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())
    again = create("autoencoder", **json.loads(json.dumps(config_of(model)))).restore(model.state())
    np.testing.assert_array_equal(again.score(histories, known), scores)


@pytest.mark.parametrize("settings", FAMILY.values(), ids=FAMILY)
def test_the_code_has_the_bottlenecks_width_and_items_the_width_of_what_they_meet(settings, histories):
    config = AutoencoderConfig(bottleneck=12, **settings)
    model = Autoencoder(config).restore(network_of(config).arrays())
    assert model.encode(histories).shape == (50, 12)
    assert model.item_vectors().shape == (N_ITEMS, config.decoder_layers[-1] if config.decoder_layers else 12)


def test_the_classic_network_is_the_multilayer_perceptron_written_out(histories):
    """Mult-DAE: tanh(tanh(x W1 + b1) W2 + b2) and back, x a row of unit length."""
    config = AutoencoderConfig(
        layers=[24],
        bottleneck=12,
        decoder_layers=[24],
        dense=False,
        activation="tanh",
        code_activation="tanh",
        norm=False,
    )
    model = Autoencoder(config).restore(network_of(config).arrays())
    a = model.state()
    x = histories.toarray().astype(np.float64)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    h = np.tanh(x @ a["input_weight"] + a["input_bias"])
    h = np.tanh(h @ a["bottleneck.weight"].T + a["bottleneck.bias"])
    h = np.tanh(h @ a["decoder.0.weight"].T + a["decoder.0.bias"])
    np.testing.assert_allclose(model.score(histories), h @ a["decoder_weight"].T + a["decoder_bias"], atol=1e-4)
    assert set(a) == {
        *("input_weight", "input_bias", "bottleneck.weight", "bottleneck.bias"),
        *("decoder.0.weight", "decoder.0.bias", "decoder_weight", "decoder_bias"),
    }


def test_only_the_proportions_of_strengths_matter():
    torch.manual_seed(0)
    model = Autoencoder(AutoencoderConfig(layers=[8], bottleneck=4))
    model.restore(DenoisingNetwork(6, model.config).arrays())
    once = csr_matrix(np.array([[1, 0, 2, 0, 0, 1]], dtype=np.float32))
    np.testing.assert_allclose(model.score(once * 7), model.score(once), rtol=1e-6)


def test_a_model_saved_before_there_was_a_family_is_restored_as_it_was(histories):
    """The settings a card of version 0.1.0 holds, and its arrays; the scores by the formula they were saved for."""
    saved = {
        "layers": [24, 8],
        "bottleneck": 12,
        "mask_low": 0.2,
        "mask_high": 0.8,
        "dropout": 0.5,
        "learning_rate": 0.004,
        "weight_decay": 2.0,
        "batch_size": 512,
        "epochs": 50,
        "patience": 15,
        "average": 0.99,
    }
    rng = np.random.default_rng(3)
    shapes = {
        "input_weight": (N_ITEMS, 24),
        "input_bias": (24,),
        "hidden.0.weight": (8, 24),
        "hidden.0.bias": (8,),
        "norms.0.weight": (24,),
        "norms.0.bias": (24,),
        "norms.1.weight": (8,),
        "norms.1.bias": (8,),
        "bottleneck.weight": (12, 32),
        "bottleneck.bias": (12,),
        "decoder_weight": (N_ITEMS, 12),
        "decoder_bias": (N_ITEMS,),
    }
    a = {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}

    def layer(x, k):
        x = x / (1 + np.exp(-x))
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        return x * a[f"norms.{k}.weight"] + a[f"norms.{k}.bias"]

    x = histories.toarray().astype(np.float64)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    first = layer(x @ a["input_weight"] + a["input_bias"], 0)
    second = layer(first @ a["hidden.0.weight"].T + a["hidden.0.bias"], 1)
    code = np.hstack([first, second]) @ a["bottleneck.weight"].T + a["bottleneck.bias"]
    expected = code @ a["decoder_weight"].T + a["decoder_bias"]
    scores = create("autoencoder", **saved).restore(a).score(histories)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("layers", "600"),
        ("layers", 600),
        ("layers", [600, 0]),
        ("decoder_layers", [0.5]),
        ("bottleneck", 0),
        ("dense", "yes"),
        ("norm", 1),
        ("activation", "step"),
        ("code_activation", None),
        ("corruption", "rain"),
        ("targets", ["all"]),
        ("likelihood", "poisson"),
        ("mask_low", -0.1),
        ("mask_high", 1.5),
        ("mask_high", 0.1),
        ("noise", -1),
        ("attribute_dropout", 1.1),
        ("dropout", 1.0),
        ("input_dropout", 1),
        ("confidence", -1),
        ("user_exponent", 2),
        ("beta", -0.1),
        ("anneal_steps", 0.5),
        ("contractive", float("inf")),
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


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"mask_low": 0.6, "mask_high": 0.5}, "mask_high"),
        ({"mask_low": 0.0, "mask_high": 0.0}, "mask_high"),  # nothing hidden, and only hidden entries to find
        ({"corruption": "salt-and-pepper", "noise": 0.0}, "noise"),
        ({"corruption": "salt-and-pepper", "noise": 1.5}, "noise"),
        ({"corruption": "gaussian"}, "targets"),
        ({"variational": True, "code_activation": "tanh"}, "code_activation"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(settings, named):
    with pytest.raises(SettingError, match=f"^{named} must be"):
        AutoencoderConfig(**settings)


def test_a_preset_is_replaced_by_its_settings_and_those_beside_it_win():
    model = create("autoencoder", preset="mult-vae", bottleneck=50)
    assert model.config == AutoencoderConfig(**{**PRESETS["mult-vae"], "bottleneck": 50})
    assert "preset" not in config_of(model)
    assert create("autoencoder", preset="default").config == create("autoencoder").config == AutoencoderConfig()


def test_an_unknown_preset_is_refused_with_the_names_there_are():
    with pytest.raises(SettingError, match="'mult-gan'") as caught:
        create("autoencoder", preset="mult-gan")
    assert all(name in caught.value.do for name in PRESETS)
    with pytest.raises(SettingError, match="'preset'"):
        create("popularity", preset="default")


@pytest.mark.parametrize("preset", ["mult-vae", "beta-vae", "cvae"])
def test_variational_presets_are_variational_and_conditional_ones_conditional(preset):
    config = AutoencoderConfig(**PRESETS[preset])
    assert config.variational
    assert config.conditional == (preset == "cvae")
    assert (config.beta > 1) == (preset == "beta-vae")
