"""Corruption: what a training step does to a history before the network has to restore it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from recsys.training.batches import Batch

if TYPE_CHECKING:
    from recsys.models.autoencoder_config import AutoencoderConfig


@dataclass(frozen=True, eq=False)
class Corrupted:
    """shown: what the network is given. targets: what it has to find. excluded: entries the likelihood leaves out."""

    shown: Batch
    targets: Batch
    excluded: Batch


class Noise(Protocol):
    """batch -> (what is shown of it, (nnz,) bool: which entries are not). Draws from torch's global generator."""

    def __call__(self, batch: Batch) -> tuple[Batch, Tensor]: ...


@dataclass(frozen=True)
class Masking:
    """Each entry is hidden with its row's rate, drawn anew for every row from U(low, high); low == high fixes it.

    With hidden entries as the only targets (Shenbin et al., RecVAE, 2020; Vancura and Kordik, VASP, 2021) a rate that
    varies teaches short and long histories alike.
    """

    low: float
    high: float

    def __call__(self, batch: Batch) -> tuple[Batch, Tensor]:
        device = batch.item.device
        rate = self.low + (self.high - self.low) * torch.rand(batch.n_rows, device=device)
        hidden = torch.rand(len(batch.item), device=device) < rate[batch.row]
        return batch.keep(~hidden), hidden


@dataclass(frozen=True)
class GaussianNoise:
    """N(0, deviation^2 r^2) is added to the strength of every entry; r: the root mean square of its row's strengths.

    Vincent et al. (2010), section 3.3, but for the zeros, which stay zero: a zero here says that nothing is known, not
    that the strength is 0, and noise on all of them would make every row as long as the catalogue.
    """

    deviation: float

    def __call__(self, batch: Batch) -> tuple[Batch, Tensor]:
        size = (batch.sums(batch.value.square()) / batch.sizes().clamp(min=1)).sqrt()
        value = batch.value + self.deviation * size[batch.row] * torch.randn_like(batch.value)
        return replace(batch, value=value), torch.zeros_like(batch.item, dtype=torch.bool)


@dataclass(frozen=True)
class SaltAndPepper:
    """A share of each history is chosen; by a fair coin an entry of it is set to 0, or another item is set to 1.

    Vincent et al. (2010), section 3.3, choose among all coordinates. In a row of 100 items out of a million that would
    add thousands of wrong items for every right one, so here the share is of the row's entries: as many items are set
    to 1 as to 0, on average, and a history keeps its size. "1" is the row's largest strength; the items set to it are
    drawn uniformly from the catalogue, and draws that are in the history are dropped.
    """

    share: float
    n_items: int

    def __call__(self, batch: Batch) -> tuple[Batch, Tensor]:
        chance = torch.rand(len(batch.item), device=batch.item.device)
        hidden = chance < self.share / 2
        salted = batch.row[(chance >= self.share / 2) & (chance < self.share)]
        largest = batch.value.new_zeros(batch.n_rows).scatter_reduce_(0, batch.row, batch.value, "amax")
        key = batch.row * self.n_items + batch.item
        salt = torch.unique(salted * self.n_items + torch.randint_like(salted, self.n_items))
        salt = salt[~torch.isin(salt, key)]
        every = torch.cat([key[~hidden], salt])
        value = torch.cat([batch.value[~hidden], largest[salt // self.n_items]])
        every, order = every.sort()
        row, item = every // self.n_items, every % self.n_items
        return Batch(batch.n_rows, row, item, value[order], batch.attributes), hidden


class Corruption:
    """Noise on the histories, what has to be restored of them, and attributes kept from the network now and then.

    Targets "hidden": the entries that are not shown, among all items but those that are: a target is never an input,
    and the network learns to predict, not to copy. "all": the whole history as it was, among all items (Liang et al.
    2018; Vincent et al. 2010).
    """

    def __init__(self, config: AutoencoderConfig, n_items: int) -> None:
        self._targets, self._attribute_dropout = config.targets, config.attribute_dropout
        self._noise: Noise
        if config.corruption == "gaussian":
            self._noise = GaussianNoise(config.noise)
        elif config.corruption == "salt-and-pepper":
            self._noise = SaltAndPepper(config.noise, n_items)
        else:
            self._noise = Masking(config.mask_low, config.mask_high)

    def __call__(self, batch: Batch) -> Corrupted:
        shown, hidden = self._noise(batch)
        if batch.attributes is not None:
            lost = torch.rand(batch.n_rows, 1, device=batch.item.device) < self._attribute_dropout
            shown = replace(shown, attributes=batch.attributes.masked_fill(lost, torch.nan))
        if self._targets == "all":
            return Corrupted(shown, targets=batch, excluded=batch.keep(torch.zeros_like(hidden)))
        return Corrupted(shown, targets=batch.keep(hidden), excluded=batch.keep(~hidden))
