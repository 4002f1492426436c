"""Ranking quality on held-out histories, ranked on the device: what early stopping goes by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys.evaluation.metrics import metric_to_choose_by
from recsys.recency import of_rows
from recsys.recommender import FitOptions, Holdout
from recsys.training.batches import Batch, DeviceRows
from recsys.training.distributed import Processes
from recsys.training.network import DenoisingNetwork

_FEWEST_USERS = 20  # with fewer, a stopping point chosen on them is noise
_MOST_USERS = 2_000
_MOST_SCORES = 16 * 2**20  # rows x items scored at once: 64 MB
_FEWEST_ROWS = 256  # scored at once: with fewer the time goes into reading the decoder, not into multiplying with it


@dataclass(frozen=True, eq=False)
class Learners:
    """People to learn from. matrix: (n, n_items) CSR; attributes: (n, n_attributes) or None; order: (nnz,) or None."""

    matrix: csr_matrix
    attributes: np.ndarray | None = None
    order: np.ndarray | None = None

    def of(self, kept: np.ndarray) -> Learners:
        """Some of them, by a mask."""
        known = None if self.attributes is None else self.attributes[kept]
        return Learners(self.matrix[kept], known, of_rows(self.matrix, self.order, kept))

    def asked(self, given: float, rng: np.random.Generator) -> Holdout:
        """Their histories with the latest part hidden, or a random one where nobody knows what is the latest."""
        return replace(Holdout.of(self.matrix, given, rng, self.order), attributes=self.attributes)


class Validation:
    """The mean of a metric over held-out rows with something hidden; full catalogue, what was given left out.

    name: any of `recsys.evaluation.metrics`, such as "ndcg@20" or "recall@50"; SettingError for another. The rows are
    dealt out to the processes, and each gets the mean over all of them. Memory does not grow with the catalogue.
    """

    def __init__(
        self, holdout: Holdout, device: torch.device, name: str = "ndcg@100", processes: Processes | None = None
    ) -> None:
        self._metric = metric_to_choose_by(name)
        self._processes = processes or Processes()
        self._given, self._hidden = (
            DeviceRows(holdout.given, device, holdout.attributes),
            DeviceRows(holdout.hidden, device),
        )
        sizes = torch.from_numpy(holdout.hidden.indptr).to(device).diff()
        self._rows = self._processes.part(torch.nonzero(sizes > 0).ravel())
        self._at_once = max(_FEWEST_ROWS, _MOST_SCORES // max(holdout.given.shape[1], 1))

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
        ranked = best_items(network, given, self._metric.k, max(1, _MOST_SCORES // max(len(rows), 1)))
        n_items = self._hidden.shape[1]
        wanted = (hidden.row * n_items + hidden.item).sort().values
        asked = torch.arange(len(rows), device=ranked.device)[:, None] * n_items + ranked
        place = torch.searchsorted(wanted, asked).clamp(max=max(len(wanted) - 1, 0))
        return wanted[place] == asked, hidden.sizes()


def best_items(network: DenoisingNetwork, given: Batch, k: int, chunk: int) -> Tensor:
    """(rows, min(k, n_items)) int64: the best items of each row, best first, those given last. In item chunks."""
    decoded = network.decode(network.encode(given), given)
    scores, items = decoded.new_empty(given.n_rows, 0), given.item.new_empty(given.n_rows, 0)
    for start in range(0, len(network.decoder_bias), chunk):
        piece = slice(start, start + chunk)
        found = torch.addmm(network.decoder_bias[piece], decoded, network.decoder_weight[piece].T)
        inside = (given.item >= start) & (given.item < start + chunk)
        found[given.row[inside], given.item[inside] - start] = -torch.inf
        found, place = found.topk(min(k, found.shape[1]), dim=1)
        scores, items = torch.cat([scores, found], dim=1), torch.cat([items, place + start], dim=1)
        scores, order = scores.topk(min(k, scores.shape[1]), dim=1)
        items = items.gather(1, order)
    return items


def spare(matrix: csr_matrix, options: FitOptions) -> tuple[Learners, Holdout | None]:
    """Whom of an (n_users, n_items) CSR to train on, and the rows to stop by, None where nobody can be spared.

    The latter are ``options.validation``, else a tenth of the rows of two entries or more, at most 2,000, drawn by the
    seed; of each a fifth is hidden, the latest where ``options.order`` says what that is.
    """
    everybody = Learners(matrix, options.attributes, options.order)
    if options.validation is not None:
        return everybody, options.validation if options.validation.hidden.nnz > 0 else None
    rng = np.random.default_rng(options.seed)
    able = np.flatnonzero(np.diff(matrix.indptr) > 1)
    wanted = min(len(able) // 10, _MOST_USERS)
    if wanted < _FEWEST_USERS:
        return everybody, None
    spared = np.zeros(matrix.shape[0], dtype=bool)
    spared[rng.choice(able, wanted, replace=False)] = True
    return everybody.of(~spared), everybody.of(spared).asked(0.8, rng)
