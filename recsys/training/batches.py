"""DeviceRows: the histories as CSR on the device; a batch is cut out and, where a product needs it, densified there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Some histories as a list of entries, sorted by row. row, item: (nnz,) int64; value: (nnz,) float32.

    attributes: (n_rows, n_attributes) float32 of the people behind the rows, NaN where unknown; None: nothing is known.
    """

    n_rows: int
    row: Tensor
    item: Tensor
    value: Tensor
    attributes: Tensor | None = None

    def keep(self, kept: Tensor) -> Batch:
        """The entries chosen by an (nnz,) mask; rows left empty stay as rows."""
        return Batch(self.n_rows, self.row[kept], self.item[kept], self.value[kept], self.attributes)

    def sizes(self) -> Tensor:
        """(n_rows,) int64 entries in each row."""
        return torch.bincount(self.row, minlength=self.n_rows)

    def sums(self, amounts: Tensor) -> Tensor:
        """(n_rows,) sums of one amount an entry, in the amounts' precision."""
        return torch.zeros(self.n_rows, dtype=amounts.dtype, device=amounts.device).index_add_(0, self.row, amounts)

    def normalised(self) -> Batch:
        """Every row divided by its Euclidean length; empty rows stay empty."""
        length = self.sums(self.value.square()).sqrt()
        return Batch(self.n_rows, self.row, self.item, self.value / length[self.row], self.attributes)


class DeviceRows:
    """An (n_users, n_items) CSR matrix held on the device: 12 bytes an interaction there, nothing dense on the host.

    attributes: (n_users, n_attributes) of the users, NaN where unknown; every batch carries those of its rows.
    """

    def __init__(self, matrix: csr_matrix, device: torch.device, attributes: np.ndarray | None = None) -> None:
        self.shape: tuple[int, int] = matrix.shape
        self.device = device
        self._start = torch.from_numpy(matrix.indptr).to(device, torch.int64)
        self._item = torch.from_numpy(matrix.indices).to(device, torch.int32)
        self._value = torch.from_numpy(matrix.data).to(device, torch.float32)
        self._attributes = None if attributes is None else torch.as_tensor(attributes, dtype=torch.float32).to(device)

    def __len__(self) -> int:
        return self.shape[0]

    def item_shares(self) -> Tensor:
        """(n_items,) float32: the share of all entries that are of each item."""
        counts = torch.bincount(self._item.long(), minlength=self.shape[1])
        return counts.float() / max(len(self._item), 1)

    def batch(self, users: Tensor) -> Batch:
        """The rows named by a (k,) int64 tensor on the device, in that order."""
        start = self._start[users]
        sizes = self._start[users + 1] - start
        row = torch.repeat_interleave(torch.arange(len(users), device=self.device), sizes)
        before = torch.cumsum(sizes, 0) - sizes
        entry = torch.arange(len(row), device=self.device) + (start - before)[row]
        attributes = None if self._attributes is None else self._attributes[users]
        return Batch(len(users), row, self._item[entry].long(), self._value[entry], attributes)
