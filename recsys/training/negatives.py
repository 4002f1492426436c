"""Negatives: a likelihood over a sample of a large catalogue instead of all of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from recsys.training.batches import Batch, DeviceRows
from recsys.training.corruption import Corrupted


class Negatives:
    """Every item that is a target of the batch, and a uniform draw of others: the columns a step computes.

    The softmax's denominator is a sum over all items; here it is a sum over the sampled ones, each divided by its
    chance of being sampled, which is right on average (Bengio and Senecal 2008; Jean et al. 2015, section 3.2). The
    chance is that of being drawn or being among the batch's targets, if those were drawn by popularity.
    """

    def __init__(self, rows: DeviceRows, drawn: int) -> None:
        """drawn: how many items are drawn at random for a step, fewer than there are."""
        self.drawn = drawn
        self._share = rows.item_shares()

    def __call__(self, corrupted: Corrupted) -> tuple[Tensor, Tensor, Corrupted]:
        """(k,) int64 the items; (k,) log of each one's chance; the batch with items numbered by place among the k."""
        share, targets = self._share, corrupted.targets
        n_items = len(share)
        present = torch.zeros(n_items, dtype=torch.bool, device=share.device)
        present[targets.item] = True
        present[torch.randint(n_items, (self.drawn,), device=share.device)] = True
        items = present.nonzero().ravel()
        place = torch.full((n_items,), -1, dtype=torch.int64, device=share.device)
        place[items] = torch.arange(len(items), device=share.device)
        drawn = (1 - 1 / n_items) ** self.drawn
        missed = drawn * torch.exp(len(targets.item) * torch.log1p(-share[items].clamp(max=1 - 1e-6)))
        local = replace(corrupted, targets=_moved(targets, place), excluded=_moved(corrupted.excluded, place))
        return items, torch.log1p(-missed), local


def _moved(batch: Batch, place: Tensor) -> Batch:
    """The entries whose items have a place, named by it."""
    moved = replace(batch, item=place[batch.item])
    return moved.keep(moved.item >= 0)
