"""Corruption: what a training step takes away from a history before the network has to restore it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from recsys.training.batches import Batch


@dataclass(frozen=True, eq=False)
class Corrupted:
    """visible: what the network is shown. hidden: what it has to find. An entry is never in both."""

    visible: Batch
    hidden: Batch


@dataclass(frozen=True)
class Masking:
    """Each entry is hidden with its row's rate, drawn anew for every row from U(low, high); low == high fixes it.

    Hidden entries are the only targets (Shenbin et al., RecVAE, 2020; Vancura and Kordik, VASP, 2021), so a rate that
    varies teaches short and long histories alike. Draws from torch's global generator.
    """

    low: float
    high: float

    def __call__(self, batch: Batch) -> Corrupted:
        device = batch.item.device
        rate = self.low + (self.high - self.low) * torch.rand(batch.n_rows, device=device)
        hidden = torch.rand(len(batch.item), device=device) < rate[batch.row]
        return Corrupted(visible=batch.keep(~hidden), hidden=batch.keep(hidden))
