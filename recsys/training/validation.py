"""Ranking quality on held-out histories, computed on the device: what early stopping goes by."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.recommender import Holdout
from recsys.training.batches import DeviceRows
from recsys.training.network import DenoisingNetwork

CUTOFF = 100
_MOST_SCORES = 16 * 2**20  # rows x items scored at once: 64 MB


class Validation:
    """Mean ndcg@100 over held-out rows with something hidden; full catalogue, what was given left out."""

    metric = f"ndcg@{CUTOFF}"

    def __init__(self, holdout: Holdout, device: torch.device) -> None:
        self._given, self._hidden = DeviceRows(holdout.given, device), DeviceRows(holdout.hidden, device)
        sizes = torch.from_numpy(holdout.hidden.indptr).to(device).diff()
        self._rows = torch.nonzero(sizes > 0).ravel()
        self._at_once = max(1, _MOST_SCORES // max(holdout.given.shape[1], 1))

    @torch.no_grad()
    def __call__(self, network: DenoisingNetwork) -> float:
        network.eval()
        values = [self._ndcg(network, rows) for rows in torch.split(self._rows, self._at_once)]
        network.train()
        return float(torch.cat(values).mean())

    def _ndcg(self, network: DenoisingNetwork, rows: Tensor) -> Tensor:
        given, hidden = self._given.batch(rows), self._hidden.batch(rows)
        scores = network(given)
        depth = min(CUTOFF, scores.shape[1])
        scores[given.row, given.item] = -torch.inf
        ranked = scores.topk(depth, dim=1).indices
        relevant = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
        relevant[hidden.row, hidden.item] = True
        discount = 1.0 / torch.log2(torch.arange(2, depth + 2, device=scores.device))
        gained = (relevant.gather(1, ranked) * discount).sum(dim=1)
        ideal = discount.cumsum(0)[hidden.sizes().clamp(max=depth) - 1]
        return gained / ideal
