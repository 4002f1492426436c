"""DenoisingNetwork: a densely connected encoder, a bottleneck and one linear decoder layer over the whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.training.batches import Batch


class DenoisingNetwork(nn.Module):
    """encode: histories -> (rows, bottleneck); the decoder's weight and bias turn that into logits.

    Layer k sees the outputs of all layers before it, side by side, and so does the bottleneck; each layer is
    LayerNorm(swish(linear)). The first layer is a weighted sum of the rows of ``input_weight``, so it costs the
    entries of the batch and not the catalogue. The decoder is linear and alone: dropout there hurts (RecVAE, 2020).
    """

    def __init__(self, n_items: int, layers: Sequence[int], bottleneck: int, dropout: float) -> None:
        super().__init__()
        self.input_weight = nn.Parameter(torch.empty(n_items, layers[0]))
        self.input_bias = nn.Parameter(torch.zeros(layers[0]))
        widths = np.cumsum(layers).tolist()
        self.hidden = nn.ModuleList(nn.Linear(widths[k], layers[k + 1]) for k in range(len(layers) - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in layers)
        self.bottleneck = nn.Linear(widths[-1], bottleneck)
        self.dropout = nn.Dropout(dropout)
        self.decoder_weight = nn.Parameter(torch.empty(n_items, bottleneck))
        self.decoder_bias = nn.Parameter(torch.zeros(n_items))
        # A history has unit length and evenly spread entries: this keeps the first layer's outputs near unit size.
        nn.init.normal_(self.input_weight, std=1.0)
        nn.init.normal_(self.decoder_weight, std=bottleneck**-0.5)

    def encode(self, visible: Batch) -> Tensor:
        """(rows, bottleneck). The batch's values are normalised here, to rows of unit length."""
        entries = visible.normalised()
        sizes = entries.sizes()
        x = functional.embedding_bag(
            entries.item,
            self.input_weight,
            torch.cumsum(sizes, 0) - sizes,
            mode="sum",
            per_sample_weights=entries.value,
        )
        seen = self.norms[0](functional.silu(x + self.input_bias))
        for layer, norm in zip(self.hidden, self.norms[1:], strict=True):
            seen = torch.cat([seen, norm(functional.silu(layer(seen)))], dim=1)
        return self.dropout(self.bottleneck(seen))

    def forward(self, visible: Batch) -> Tensor:
        """(rows, n_items) logits, all at once: for validation and tests; training never makes them whole."""
        return functional.linear(self.encode(visible), self.decoder_weight, self.decoder_bias)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every parameter as float32, under its name: what the model keeps and scores with."""
        return {name: value.detach().float().cpu().numpy().copy() for name, value in self.state_dict().items()}
