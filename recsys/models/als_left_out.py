"""Solution: the factors of one person with some entries of the history left out, from one system solved for all.

A person's factors solve A x = b with A = Y^T Y + l I + sum (c - 1) y y^T and b = sum c y over the history. Without a
set S of its entries A loses Y_S^T D Y_S, D = diag(c_S - 1), and b loses Y_S^T c_S. By Woodbury's identity (for one
entry Sherman and Morrison's; Golub and Van Loan, "Matrix Computations", section 2.1.4) |S| rows are left to solve:

    x(S) = x - Z_S (c_S - D t),    (I - H_SS D) t = s_S - H_SS c_S,    Z = A^-1 Y^T, H = Y Z, s = Y x
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Solution:
    """One history's solution; float64. confidence: (nnz,) c. whole: (factors,) x. answers: (factors, nnz) Z. met: (nnz,
    nnz) H. own: (nnz,) s."""

    confidence: np.ndarray
    whole: np.ndarray
    answers: np.ndarray
    met: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, gram: np.ndarray, liked: np.ndarray, confidence: np.ndarray) -> Self:
        """gram: (factors, factors) Y^T Y + l I over all items. liked: (nnz, factors) Y of the history."""
        system = gram + liked.T @ (liked * (confidence - 1)[:, None])
        solved = np.linalg.solve(system, np.column_stack([confidence @ liked, liked.T]))
        whole, answers = solved[:, 0], solved[:, 1:]
        return cls(confidence, whole, answers, liked @ answers, liked @ whole)

    def without(self, removed: np.ndarray) -> np.ndarray:
        """(n, factors) for (n, nnz) bool, which entries are left out of each row; none of them: the whole history."""
        people = np.tile(self.whole, (len(removed), 1))
        size = np.count_nonzero(removed, axis=1)
        for k in np.unique(size[size > 0]):
            rows = np.flatnonzero(size == k)
            entries = np.nonzero(removed[rows])[1].reshape(len(rows), k)
            c = self.confidence[entries]
            met = self.met[entries[:, :, None], entries[:, None, :]]
            right = self.own[entries] - np.einsum("nij,nj->ni", met, c)
            t = np.linalg.solve(np.eye(k) - met * (c - 1)[:, None, :], right[:, :, None])[:, :, 0]
            change = np.zeros(removed[rows].shape)
            change[np.arange(len(rows))[:, None], entries] = c - (c - 1) * t
            people[rows] -= change @ self.answers.T
        people[size == removed.shape[1]] = 0  # of nothing at all nothing remains, and no rounding either
        return people
