"""The autoencoder's forward pass in numpy: what serving computes, equal to `recsys.training.network` to rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit

from recsys.errors import SettingError
from recsys.linear.products import by_column, product
from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.recommender import State

_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "swish": lambda x: x * expit(x),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "linear": lambda x: x,
}


def laid_out(arrays: State) -> State:
    """The arrays of a trained network as scoring wants them in memory: what is multiplied by, column by column."""
    sparse = ("input_weight", "attribute_weight")  # of these, rows are looked up
    return {k: by_column(a) if a.ndim == 2 and k not in sparse else a for k, a in arrays.items()}


def encode(config: AutoencoderConfig, arrays: State, rows: csr_matrix, attributes: np.ndarray | None) -> np.ndarray:
    """(rows, bottleneck) float32: the code of each history, of a variational model its mean.

    attributes: as `centred` gives them. The first layer is sparse: it costs the entries.
    """
    x = _normalised(rows) @ arrays["input_weight"] + arrays["input_bias"]
    if attributes is not None:
        x = x + product(attributes, arrays["attribute_weight"].T)
    if config.layers:
        seen = _hidden(config, arrays, x, "norms.0")
        for k in range(len(config.layers) - 1):
            x = _linear(arrays, f"hidden.{k}", seen)
            output = _hidden(config, arrays, x, f"norms.{k + 1}")
            seen = np.concatenate([seen, output], axis=1) if config.dense else output
        x = _linear(arrays, "bottleneck", seen)
    if config.variational:
        return x[:, : config.bottleneck]  # the rest are log-variances
    return _ACTIVATIONS[config.code_activation](x)


def decode(config: AutoencoderConfig, arrays: State, code: np.ndarray, attributes: np.ndarray | None) -> np.ndarray:
    """(rows, n_items) float32 scores of (rows, bottleneck) codes."""
    x = code if attributes is None else np.concatenate([code, attributes], axis=1)
    for k in range(len(config.decoder_layers)):
        x = _hidden(config, arrays, _linear(arrays, f"decoder.{k}", x), f"decoder_norms.{k}")
    scores = product(x, arrays["decoder_weight"])
    scores += arrays["decoder_bias"]
    return scores


def centred(arrays: State, attributes: np.ndarray | None, n_rows: int) -> np.ndarray | None:
    """(n_rows, n_attributes) float32 attributes less their training mean, 0 where unknown; None for a model without.

    SettingError for attributes of another shape, or given to a model that is not conditional.
    """
    mean = arrays.get("attribute_mean")
    if mean is None:
        if attributes is not None:
            raise SettingError(
                "attributes were given to an autoencoder that is not conditional",
                do="train one with conditional=true, or leave the attributes out",
            )
        return None
    if attributes is None:
        return np.zeros((n_rows, len(mean)), dtype=np.float32)
    if attributes.shape != (n_rows, len(mean)):
        raise SettingError(
            f"attributes of shape {attributes.shape} were given for {n_rows} rows of a model of {len(mean)} attributes"
        )
    return np.nan_to_num(np.asarray(attributes, dtype=np.float32) - mean, nan=0.0)


def _normalised(rows: csr_matrix) -> csr_matrix:
    """Each row divided by its Euclidean length, float32; empty rows stay empty."""
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    squares = np.bincount(row, weights=rows.data.astype(np.float64) ** 2, minlength=rows.shape[0])
    data = (rows.data / np.sqrt(squares)[row]).astype(np.float32)
    return csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)


def _linear(arrays: State, name: str, x: np.ndarray) -> np.ndarray:
    return product(x, arrays[f"{name}.weight"]) + arrays[f"{name}.bias"]


def _hidden(config: AutoencoderConfig, arrays: State, x: np.ndarray, norm: str) -> np.ndarray:
    """A hidden layer's output from its sums: activation, then LayerNorm where the model has it."""
    x = _ACTIVATIONS[config.activation](x)
    if not config.norm:
        return x
    centre = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centre * centre).mean(axis=1, keepdims=True) + np.float32(1e-5))
    return centre / deviation * arrays[f"{norm}.weight"] + arrays[f"{norm}.bias"]
