"""DenoisingNetwork: an encoder, a bottleneck and a decoder whose last layer is one product with the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.training.batches import Batch

if TYPE_CHECKING:
    from recsys.models.autoencoder_config import AutoencoderConfig

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "swish": functional.silu,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": lambda x: x,
}


class DenoisingNetwork(nn.Module):
    """encode: histories -> (rows, bottleneck); decode: what is multiplied with the decoder's weight to give logits.

    A hidden layer is LayerNorm(activation(linear)). In a dense encoder layer k sees the outputs of all layers before
    it, side by side, and so does the bottleneck. The first layer is a weighted sum of the rows of ``input_weight``, so
    it costs the entries of the batch and not the catalogue. By default the decoder is linear and alone: dropout there
    hurts (RecVAE, 2020).
    """

    attribute_mean: Tensor

    def __init__(self, n_items: int, config: AutoencoderConfig, attribute_mean: np.ndarray | None = None) -> None:
        """attribute_mean: (n_attributes,) of the people trained on, for a conditional network."""
        super().__init__()
        self.variational, self.dense = config.variational, config.dense
        self.input_dropout = config.input_dropout
        self.conditional = attribute_mean is not None
        n_attributes = 0 if attribute_mean is None else len(attribute_mean)
        self._activation = _ACTIVATIONS[config.activation]
        self._code_activation = _ACTIVATIONS[config.code_activation]

        layers, out = config.layers, config.bottleneck * (2 if config.variational else 1)
        first = layers[0] if layers else out
        self.input_weight = nn.Parameter(torch.empty(n_items, first))
        self.input_bias = nn.Parameter(torch.zeros(first))
        widths = np.cumsum(layers).tolist() if config.dense else list(layers)
        self.hidden = nn.ModuleList(nn.Linear(widths[k], layers[k + 1]) for k in range(len(layers) - 1))
        self.norms = _norms(layers, config.norm)
        self.bottleneck = nn.Linear(widths[-1], out) if layers else None
        self.dropout = nn.Dropout(config.dropout)

        widths = [config.bottleneck + n_attributes, *config.decoder_layers]
        self.decoder = nn.ModuleList(nn.Linear(widths[k], widths[k + 1]) for k in range(len(widths) - 1))
        self.decoder_norms = _norms(config.decoder_layers, config.norm)
        self.decoder_weight = nn.Parameter(torch.empty(n_items, widths[-1]))
        self.decoder_bias = nn.Parameter(torch.zeros(n_items))
        # A history has unit length and evenly spread entries: this keeps the first layer's outputs near unit size.
        nn.init.normal_(self.input_weight, std=1.0)
        nn.init.normal_(self.decoder_weight, std=widths[-1] ** -0.5)
        if attribute_mean is not None:
            self.register_buffer("attribute_mean", torch.as_tensor(attribute_mean, dtype=torch.float32))
            self.attribute_weight = nn.Parameter(torch.empty(n_attributes, first))
            nn.init.normal_(self.attribute_weight, std=1.0)
        if not config.norm:  # nothing makes up for the scale: Glorot and Bengio's (2010), as in Mult-DAE's code
            for weight in (parameter for parameter in self.parameters() if parameter.ndim > 1):
                nn.init.xavier_uniform_(weight)

    def encode(self, shown: Batch) -> Tensor:
        """(rows, bottleneck). The batch's values are normalised here, to rows of unit length."""
        return self.dropout(self.code(self.first(shown)))

    def posterior(self, shown: Batch) -> tuple[Tensor, Tensor]:
        """(rows, bottleneck) mean of the code of a variational network, and its log-variance."""
        mean, log_variance = self._last(self.first(shown)).chunk(2, dim=1)
        return mean, log_variance

    def first(self, shown: Batch) -> Tensor:
        """The first layer's sums, before its activation: a linear function of the history, and of the attributes."""
        entries = shown.normalised()
        sizes = entries.sizes()
        value = functional.dropout(entries.value, self.input_dropout, self.training and self.input_dropout > 0)
        x = functional.embedding_bag(
            entries.item,
            self.input_weight,
            torch.cumsum(sizes, 0) - sizes,
            mode="sum",
            per_sample_weights=value,
        )
        x = x + self.input_bias
        return x + self._attributes(shown) @ self.attribute_weight if self.conditional else x

    def code(self, x: Tensor) -> Tensor:
        """(rows, bottleneck) code, of a variational network its mean, from the first layer's sums."""
        x = self._last(x)
        return x.chunk(2, dim=1)[0] if self.variational else self._code_activation(x)

    def decode(self, code: Tensor, shown: Batch) -> Tensor:
        """(rows, width) from (rows, bottleneck) codes: logits are its product with the decoder's weight, plus bias."""
        x = torch.cat([code, self._attributes(shown).to(code.dtype)], dim=1) if self.conditional else code
        for k, linear in enumerate(self.decoder):
            x = self._layer(linear(x), self.decoder_norms, k)
        return x

    def forward(self, shown: Batch) -> Tensor:
        """(rows, n_items) logits, all at once: for validation and tests; training never makes them whole."""
        return functional.linear(self.decode(self.encode(shown), shown), self.decoder_weight, self.decoder_bias)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every parameter as float32, under its name: what the model keeps and scores with."""
        return {name: value.detach().float().cpu().numpy().copy() for name, value in self.state_dict().items()}

    def _last(self, x: Tensor) -> Tensor:
        """The last layer's sums from the first's."""
        if self.bottleneck is None:
            return x
        seen = self._layer(x, self.norms, 0)
        for k, linear in enumerate(self.hidden, start=1):
            output = self._layer(linear(seen), self.norms, k)
            seen = torch.cat([seen, output], dim=1) if self.dense else output
        return self.bottleneck(seen)

    def _layer(self, x: Tensor, norms: nn.ModuleList, k: int) -> Tensor:
        x = self._activation(x)
        return norms[k](x) if len(norms) else x

    def _attributes(self, shown: Batch) -> Tensor:
        """(rows, n_attributes) less their mean in training, so that 0 is an average person, and an unknown one."""
        if shown.attributes is None:
            return self.attribute_mean.new_zeros(shown.n_rows, len(self.attribute_mean))
        return torch.nan_to_num(shown.attributes - self.attribute_mean, nan=0.0)


def attribute_mean(attributes: np.ndarray | None) -> np.ndarray | None:
    """(n_attributes,) float32 means over the people of whom each is known, 0 where of nobody; None for None."""
    if attributes is None:
        return None
    known = ~np.isnan(attributes)
    means = np.where(known, attributes, 0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    return means.astype(np.float32)


def _norms(widths: Sequence[int], wanted: bool) -> nn.ModuleList:
    return nn.ModuleList(nn.LayerNorm(width) for width in widths if wanted)
