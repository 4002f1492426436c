"""PRESETS: named settings of the autoencoder, each a model of the literature or a yardstick, with its source.

A preset is a start: settings given beside it win. What is saved are the settings it stands for, not its name. All are
trained by the one loop there is (AdamW, warm-up and cosine decay, early stopping on held-out people), so a preset is
its paper's model and objective, not its paper's every habit; what differs is said beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.errors import SettingError

# A multilayer perceptron trained to restore the whole of a history that input dropout has thinned. Liang et al. 2018,
# section 4.4: tanh, dropout of half the input, batches of 500 people, Adam; the rate is that of their published code.
_CLASSIC: dict[str, Any] = {
    "linear": "none",
    "start": "random",
    "negatives": 0,
    "dense": False,
    "activation": "tanh",
    "norm": False,
    "input_dropout": 0.5,
    "dropout": 0.0,
    "mask_low": 0.0,
    "mask_high": 0.0,
    "targets": "all",
    "user_exponent": 1.0,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "batch_size": 500,
    "epochs": 200,
    "patience": 50,
    "average": 0.0,
}
# Their partially regularised variational autoencoder, 600-200-600. Their code adds 1/200,000 to beta each step, up to
# .2: 40,000 steps, the whole of a MovieLens 20M training. Shorter ones want a smaller anneal_steps.
_MULT_VAE: dict[str, Any] = {
    **_CLASSIC,
    "layers": (600,),
    "bottleneck": 200,
    "decoder_layers": (600,),
    "variational": True,
    "beta": 0.2,
    "anneal_steps": 40_000,
}

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # The default without the order of histories: what was published on a split without times compares with this.
    "orderless": {"recency": 0.0},
    # The deep path of the default, alone.
    "deep": {"linear": "none"},
    # The usual yardstick: Mult-DAE with the hidden layers of the paper's example. Three times the paper's learning rate
    # and 60 epochs ranked MovieLens 1M's validation users better than the paper's (docs/experiments.md).
    "plain-600-200-600": {
        **_CLASSIC,
        "layers": (600,),
        "bottleneck": 200,
        "code_activation": "tanh",
        "decoder_layers": (600,),
        "learning_rate": 3e-3,
        "epochs": 60,
    },
    # Liang et al., "Variational Autoencoders for Collaborative Filtering" (2018), as in their published code: one tanh
    # layer of 200. Their L2 term of .01 is here AdamW's decay, which is not the same for Adam.
    "mult-dae": {**_CLASSIC, "layers": (), "bottleneck": 200, "code_activation": "tanh", "weight_decay": 0.01},
    "mult-vae": _MULT_VAE,
    # Higgins et al., "beta-VAE" (2017): beta above 1, from the first step on; here on Mult-VAE's network.
    "beta-vae": {**_MULT_VAE, "beta": 4.0, "anneal_steps": 0},
    # Sohn et al., "Learning Structured Output Representation using Deep Conditional Generative Models" (2015): encoder
    # and decoder are told the condition; the prior is N(0, I) and does not depend on it. On Mult-VAE's network.
    "cvae": {**_MULT_VAE, "conditional": True},
    # Rifai et al., "Contractive Auto-Encoders" (2011): one sigmoid layer, cross-entropy, nothing corrupted. Their
    # encoder and decoder share one matrix; here they are two.
    "contractive": {
        **_CLASSIC,
        "layers": (),
        "bottleneck": 200,
        "code_activation": "sigmoid",
        "input_dropout": 0.0,
        "likelihood": "bernoulli",
        "contractive": 0.1,
    },
}


def expanded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with ``preset``, where there is one, replaced by what it stands for; settings beside it win.

    SettingError, with the names there are, for an unknown preset.
    """
    rest = dict(settings)
    name = rest.pop("preset", "default")
    if name not in PRESETS:
        raise SettingError(f"no preset is called '{name}'", do=f"use one of: {', '.join(PRESETS)}")
    return {**PRESETS[name], **rest}
