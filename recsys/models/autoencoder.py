"""Autoencoder: a deep denoising network that restores hidden interactions; trained with torch, scored with numpy.

Liang et al., "Variational Autoencoders for Collaborative Filtering" (2018) for the multinomial likelihood; the encoder
and the hidden-only targets of the default follow RecVAE (Shenbin et al., 2020) and VASP (Vancura and Kordik, 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.linear.path import LinearPath
from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.models.autoencoder_scoring import centred, decode, encode, laid_out
from recsys.models.blend import Blend
from recsys.models.checks import check_matrix, check_rows, in_range
from recsys.models.presets import expanded
from recsys.models.space import Range
from recsys.recommender import FitOptions, State, top_n

_LINEAR = "linear/"  # starts the names of the linear path's arrays in the state
_BLEND = "blend"
_LAST = "decoder_weight"

__all__ = ["Autoencoder", "AutoencoderConfig"]


class Autoencoder:
    """score[u] = decoder(encoder(x_u)): x_u is the history divided by its length; attributes beside it where known."""

    name = "autoencoder"
    Config = AutoencoderConfig
    space = {
        "learning_rate": Range(1e-3, 1e-2, log=True),
        "dropout": Range(0.0, 0.8),
        "bottleneck": Range(100, 1000, log=True),
        "user_exponent": Range(0.0, 1.0),
    }

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        self.config = config or AutoencoderConfig()
        self._arrays: State = {}
        self._linear: LinearPath | None = None
        self._blend = Blend(1.0, None)

    @staticmethod
    def expand(settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as `create` is given them, a preset replaced by what it stands for."""
        return expanded(settings)

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        """Train. A conditional model needs ``options.attributes``: SettingError without, or of another shape."""
        from recsys.models.autoencoder_fit import fit_both

        check_matrix(matrix)
        if self.config.conditional:
            _check_attributes(options, matrix.shape[0])
        fitted = fit_both(matrix, self.config, options)
        self.config, self._linear = fitted.config, fitted.linear
        self._arrays = laid_out(fitted.deep)
        self._blend = fitted.config.mixture or self._blend
        return self

    def score(self, rows: csr_matrix, attributes: np.ndarray | None = None) -> np.ndarray:
        """(rows, n_items) float32. attributes: (rows, n_attributes) for a conditional model, NaN where unknown; without
        them everybody is as the average person of training was."""
        self._check(rows)
        known = centred(self._arrays, attributes, rows.shape[0])
        deep = decode(self.config, self._arrays, encode(self.config, self._arrays, rows, known), known)
        return deep if self._linear is None else self._blend(self._linear.score(rows), deep)

    def encode(self, rows: csr_matrix, attributes: np.ndarray | None = None) -> np.ndarray:
        """(rows, bottleneck) float32: the code of each history, of a variational model its mean."""
        self._check(rows)
        return encode(self.config, self._arrays, rows, centred(self._arrays, attributes, rows.shape[0]))

    def coder(self) -> Self:
        """What of the model makes codes and item vectors: all but the linear path, which is most of its size."""
        return type(self)(self.config).restore(self._arrays)

    def sample(
        self,
        n: int,
        rng: np.random.Generator,
        size: int = 20,
        *,
        greedy: bool = False,
        attributes: np.ndarray | None = None,
    ) -> csr_matrix:
        """(n, n_items) CSR of ones: n new histories of ``size`` items, drawn from a variational model's prior.

        z ~ N(0, I) is decoded to scores; items are drawn without replacement with odds exp(score), which for the
        multinomial likelihood is its softmax and for the Bernoulli its odds; for the Gaussian, whose score is an
        expected value, with odds max(score, 0). greedy: the ``size`` best instead. attributes: as for ``score``.
        SettingError for a model that is not variational; TrainingError before ``fit``.
        """
        if not self.config.variational:
            raise SettingError(
                "only a variational autoencoder has a prior to sample from", do="train with preset=mult-vae"
            )
        n_items = len(self._arrays.get("decoder_bias", ()))
        self._check(csr_matrix((n, n_items), dtype=np.float32))
        in_range("size", size, 1, n_items, whole=True)
        z = rng.standard_normal((n, self.config.bottleneck)).astype(np.float32)
        scores = decode(self.config, self._arrays, z, centred(self._arrays, attributes, n))
        if not greedy:
            odds = scores if self.config.likelihood != "gaussian" else np.log(np.maximum(scores, 1e-6))
            scores = odds + rng.gumbel(size=odds.shape)  # the k best of these are k draws without replacement
        items, _ = top_n(scores, None, size)
        indptr = np.arange(0, n * size + 1, size)
        return csr_matrix((np.ones(n * size, dtype=np.float32), np.sort(items).ravel(), indptr), shape=(n, n_items))

    def item_vectors(self) -> np.ndarray | None:
        """(n_items, width) float32: the decoder's last weights, without those of the attributes."""
        vectors = self._arrays.get(_LAST)
        return vectors if vectors is None or self.config.decoder_layers else vectors[:, : self.config.bottleneck]

    def state(self) -> State:
        if self._linear is None:
            return dict(self._arrays)
        linear = {_LINEAR + name: value for name, value in self._linear.state().items()}
        return {**self._arrays, **linear, _BLEND: self._blend.state()}

    def restore(self, state: State) -> Self:
        linear = {name.removeprefix(_LINEAR): value for name, value in state.items() if name.startswith(_LINEAR)}
        self._linear = LinearPath.restore(linear) if linear else None
        if self._linear is not None:
            self._blend = Blend.restore(state[_BLEND])
        self._arrays = {k: value for k, value in state.items() if not k.startswith(_LINEAR) and k != _BLEND}
        return self

    def _check(self, rows: csr_matrix) -> None:
        check_rows(rows, len(self._arrays["decoder_bias"]) if self._arrays else None)


def _check_attributes(options: FitOptions, n_users: int) -> None:
    attributes, judged = options.attributes, options.validation
    if attributes is None:
        raise SettingError(
            "a conditional autoencoder needs the attributes of the users, and none were given",
            do="give FitOptions(attributes=...), or leave conditional out",
        )
    if attributes.ndim != 2 or len(attributes) != n_users or not attributes.shape[1]:
        raise SettingError(f"attributes of shape {attributes.shape} were given for {n_users} users")
    if judged is not None and judged.attributes is not None:
        expected = (judged.given.shape[0], attributes.shape[1])
        if judged.attributes.shape != expected:
            raise SettingError(
                f"attributes of shape {judged.attributes.shape} came with validation rows that need {expected}"
            )
