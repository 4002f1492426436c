"""Degree-normalised filters: a history spread to its items' neighbours, and kept to the catalogue's strong directions.

The two halves of GF-CF (Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021) with the
exponents left open: with R = D_u^-b X D_i^-a, D_u and D_i the degrees of users and items, published settings are
a = b = 1/2. A smaller b lets people with long histories count for more, which held-out rows mostly ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, diags

from recsys.linear.products import by_column, gathered, product
from recsys.linear.spectral import truncated_svd
from recsys.recommender import State

_MOST_PAIRS = 2**26  # products of one block of items held at once: about 1 GB
_MOST_KEPT = 40_000_000  # pairs of the whole neighbourhood: 320 MB


def normalised(matrix: csr_matrix, user_exponent: float, item_exponent: float) -> csr_matrix:
    """(n_users, n_items) float32 CSR of x_ui |u|^-b |i|^-a; |.| are sums of strengths."""
    users, items = degrees(matrix)
    return csr_matrix(diags(users**-user_exponent) @ matrix @ diags(items**-item_exponent), dtype=np.float32)


def degrees(matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Sums of strengths of each user and each item, float32; 1 where there is nothing."""
    users = np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()
    items = np.asarray(matrix.sum(axis=0), dtype=np.float32).ravel()
    return np.where(users > 0, users, 1).astype(np.float32), np.where(items > 0, items, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """score = x P, P = R'R without its diagonal, in each row only the ``most`` strongest pairs. pairs: P as CSR."""

    pairs: csr_matrix

    @classmethod
    def fit(cls, matrix: csr_matrix, user_exponent: float, item_exponent: float, most: int) -> Self:
        most = max(1, min(most, _MOST_KEPT // matrix.shape[1]))
        return cls(strongest_pairs(normalised(matrix, user_exponent, item_exponent), most))

    def score(self, rows: csr_matrix) -> np.ndarray:
        scores = np.zeros(rows.shape, dtype=np.float32)
        for row, (start, stop) in enumerate(pairwise(rows.indptr.tolist())):
            scores[row] = self.pairs[rows.indices[start:stop]].T @ rows.data[start:stop]
        return scores

    def state(self) -> State:
        return {"indptr": self.pairs.indptr, "indices": self.pairs.indices, "data": self.pairs.data}

    @classmethod
    def restore(cls, state: State) -> Self:
        n = len(state["indptr"]) - 1
        pairs = csr_matrix((state["data"], state["indices"], state["indptr"]), shape=(n, n))
        pairs.check_format(full_check=True)  # scipy reads and writes wherever a wrong index points
        return cls(pairs)


def strongest_pairs(rows: csr_matrix, most: int) -> csr_matrix:
    """(n_items, n_items) CSR: R'R of (n_users, n_items) float32 R, no diagonal, each row's ``most`` largest values.

    Made a block of items at a time, so that memory is bounded by the block and by what is kept.
    """
    n_items = rows.shape[1]
    by_item = rows.T.tocsr()
    lengths = np.diff(rows.indptr).astype(np.float64)
    reached = np.cumsum(np.asarray(by_item.astype(bool) @ lengths).ravel())  # pairs before merging, an upper bound
    blocks, start = [], 0
    while start < n_items:
        before = reached[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(reached, before + _MOST_PAIRS, side="right")))
        blocks.append(_strongest(csr_matrix(by_item[start:stop] @ rows), start, most))
        start = stop
    indptr = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum(np.concatenate([sizes for sizes, _, _ in blocks]), out=indptr[1:])
    indices = np.concatenate([indices for _, indices, _ in blocks])
    data = np.concatenate([data for _, _, data in blocks])
    return csr_matrix((data, indices, indptr), shape=(n_items, n_items))


def _strongest(block: csr_matrix, first: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(sizes, indices, data) of each row's strongest pairs; row k is item first + k, whose own entry is left out."""
    row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    kept = block.indices != row + first
    for k in np.flatnonzero(np.diff(block.indptr) > most + 1):
        whole = slice(block.indptr[k], block.indptr[k + 1])
        weak = np.argpartition(np.where(kept[whole], block.data[whole], 0), -most)[:-most]
        kept[block.indptr[k] + weak] = False
    sizes = np.bincount(row[kept], minlength=block.shape[0])
    return sizes, block.indices[kept].astype(np.int32), block.data[kept].astype(np.float32)


@dataclass(frozen=True, eq=False)
class LowPass:
    """score = x D^-a V V' D^a: the history seen through the leading right singular vectors V of R.

    vectors: (n_items, rank) V, column by column; scale: (n_items,) D^a.
    """

    vectors: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, matrix: csr_matrix, user_exponent: float, item_exponent: float, rank: int, seed: int) -> Self:
        _, vectors = truncated_svd(normalised(matrix, user_exponent, item_exponent), rank, seed)
        return cls(by_column(vectors), degrees(matrix)[1] ** np.float32(item_exponent))

    def cut(self, rank: int) -> Self:
        """The same filter with only the strongest ``rank`` directions."""
        return type(self)(self.vectors[:, :rank], self.scale)

    def score(self, rows: csr_matrix) -> np.ndarray:
        data = (rows.data * (1 / self.scale)[rows.indices]).astype(np.float32, copy=False)
        code = gathered(csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape), self.vectors)
        scores = product(code, self.vectors)
        scores *= self.scale
        return scores

    def state(self) -> State:
        return {"vectors": self.vectors, "scale": self.scale}

    @classmethod
    def restore(cls, state: State) -> Self:
        return cls(state["vectors"], state["scale"])


@dataclass(frozen=True, eq=False)
class ItemToItem:
    """score = x B for a dense (n_items, n_items) float32 B: what a closed form (EASE, EDLAE) gives."""

    weights: np.ndarray

    def score(self, rows: csr_matrix) -> np.ndarray:
        return np.asarray(rows @ self.weights, dtype=np.float32)

    def state(self) -> State:
        return {"weights": self.weights}

    @classmethod
    def restore(cls, state: State) -> Self:
        return cls(state["weights"])
