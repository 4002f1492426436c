"""Autoencoder: a deep denoising network that restores hidden interactions; trained with torch, scored with numpy.

Liang et al., "Variational Autoencoders for Collaborative Filtering" (2018) for the multinomial likelihood; the encoder
and the hidden-only targets follow RecVAE (Shenbin et al., 2020) and VASP (Vancura and Kordik, 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit

from recsys.errors import SettingError
from recsys.models.checks import check_matrix, check_rows, in_range
from recsys.recommender import FitOptions, State


@dataclass(frozen=True)
class AutoencoderConfig:
    """The network: layers (widths of the encoder, one or more), bottleneck (width of its code).

    Its training: mask_low, mask_high (share of a history hidden, drawn for each row), dropout (on the code),
    learning_rate, weight_decay, batch_size, epochs (at most), patience (epochs without a better one before stopping),
    average (decay of the running average of the weights that is kept as the model).

    The defaults were chosen on validation users of MovieLens 1M (docs/experiments.md). The weight decay is far above
    what is usual, and most of the quality: a history of a hundred items must not be learnt by heart.
    """

    layers: Sequence[int] = (600, 600, 600, 600)
    bottleneck: int = 300
    mask_low: float = 0.2
    mask_high: float = 0.8
    dropout: float = 0.5
    learning_rate: float = 4e-3
    weight_decay: float = 2.0
    batch_size: int = 512
    epochs: int = 50
    patience: int = 15
    average: float = 0.99

    def __post_init__(self) -> None:
        if isinstance(self.layers, str) or not isinstance(self.layers, Sequence) or not len(self.layers):
            raise SettingError(f"layers must be a list of widths, not {self.layers!r}", do="for example [600, 600]")
        object.__setattr__(self, "layers", tuple(self.layers))  # JSON brings a list back
        for width in self.layers:
            in_range("layers", width, 1, 65_536, whole=True)
        in_range("bottleneck", self.bottleneck, 1, 65_536, whole=True)
        in_range("mask_low", self.mask_low, 0, 1)
        in_range("mask_high", self.mask_high, max(self.mask_low, 1e-3), 1)
        in_range("dropout", self.dropout, 0, 0.99)
        in_range("learning_rate", self.learning_rate, 0, 100)
        in_range("weight_decay", self.weight_decay, 0, 100)
        in_range("batch_size", self.batch_size, 1, whole=True)
        in_range("epochs", self.epochs, 1, whole=True)
        in_range("patience", self.patience, 1, whole=True)
        in_range("average", self.average, 0, 0.999999)


class Autoencoder:
    """score[u] = W z(x_u) + b: z the encoder's code of the history x_u divided by its length."""

    name = "autoencoder"
    Config = AutoencoderConfig

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        self.config = config or AutoencoderConfig()
        self._arrays: State = {}

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        from recsys.training.loop import train_autoencoder  # torch: 1 s and 150 MB that scoring does without

        check_matrix(matrix)
        return self.restore(train_autoencoder(matrix, self.config, options))

    def score(self, rows: csr_matrix) -> np.ndarray:
        check_rows(rows, len(self._arrays["decoder_bias"]) if self._arrays else None)
        return self.encode(rows) @ self._arrays["decoder_weight"].T + self._arrays["decoder_bias"]

    def encode(self, rows: csr_matrix) -> np.ndarray:
        """(rows, bottleneck) float32: the code of each history. The first layer is sparse: it costs the entries."""
        arrays = self._arrays
        x = _normalised(rows) @ arrays["input_weight"] + arrays["input_bias"]
        seen = _layer_norm(_swish(x), arrays, 0)
        for k in range(len(self.config.layers) - 1):
            x = seen @ arrays[f"hidden.{k}.weight"].T + arrays[f"hidden.{k}.bias"]
            seen = np.concatenate([seen, _layer_norm(_swish(x), arrays, k + 1)], axis=1)
        return seen @ arrays["bottleneck.weight"].T + arrays["bottleneck.bias"]

    def item_vectors(self) -> np.ndarray | None:
        return self._arrays.get("decoder_weight")

    def state(self) -> State:
        return dict(self._arrays)

    def restore(self, state: State) -> Self:
        self._arrays = dict(state)
        return self


def _normalised(rows: csr_matrix) -> csr_matrix:
    """Each row divided by its Euclidean length, float32; empty rows stay empty."""
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    squares = np.bincount(row, weights=rows.data.astype(np.float64) ** 2, minlength=rows.shape[0])
    data = (rows.data / np.sqrt(squares)[row]).astype(np.float32)
    return csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)


def _swish(x: np.ndarray) -> np.ndarray:
    return x * expit(x)


def _layer_norm(x: np.ndarray, arrays: State, k: int) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(1e-5))
    return centred / deviation * arrays[f"norms.{k}.weight"] + arrays[f"norms.{k}.bias"]
