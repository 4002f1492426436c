"""Ranking quality on held-out histories, ranked on the device: what early stopping goes by."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.evaluation.metrics import metric
from recsys.recommender import Holdout
from recsys.training.batches import DeviceRows
from recsys.training.distributed import Processes
from recsys.training.network import DenoisingNetwork

_MOST_SCORES = 16 * 2**20  # rows x items scored at once: 64 MB


class Validation:
    """The mean of a metric over held-out rows with something hidden; full catalogue, what was given left out.

    name: any of `recsys.evaluation.metrics`, such as "ndcg@20" or "recall@50"; SettingError for another. The rows are
    dealt out to the processes, and each gets the mean over all of them. Memory does not grow with the catalogue.
    """

    def __init__(
        self, holdout: Holdout, device: torch.device, name: str = "ndcg@100", processes: Processes | None = None
    ) -> None:
        self._metric = metric(name)
        self._processes = processes or Processes()
        self._given, self._hidden = DeviceRows(holdout.given, device), DeviceRows(holdout.hidden, device)
        sizes = torch.from_numpy(holdout.hidden.indptr).to(device).diff()
        self._rows = self._processes.part(torch.nonzero(sizes > 0).ravel())
        self._at_once = max(1, _MOST_SCORES // max(holdout.given.shape[1], 1))

    @torch.no_grad()
    def __call__(self, network: DenoisingNetwork) -> float:
        network.eval()
        found = torch.zeros(2, dtype=torch.float64)  # the sum over this process's rows, and how many they are
        for rows in torch.split(self._rows, self._at_once):
            hits, relevant = self._hits(network, rows)
            values = self._metric(hits.cpu().numpy(), relevant.cpu().numpy())
            found += torch.tensor([values.sum(), len(values)], dtype=torch.float64)
        network.train()
        total, count = self._processes.total(found.to(self._processes.device)).tolist()
        return float(total / count)

    def _hits(self, network: DenoisingNetwork, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, k) bool, was the item at that rank hidden, best first; (rows,) int64 hidden in all."""
        given, hidden = self._given.batch(rows), self._hidden.batch(rows)
        scores = network(given)
        scores[given.row, given.item] = -torch.inf
        ranked = scores.topk(min(self._metric.k, scores.shape[1]), dim=1).indices
        relevant = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
        relevant[hidden.row, hidden.item] = True
        return relevant.gather(1, ranked), hidden.sizes()
