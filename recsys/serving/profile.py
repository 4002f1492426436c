"""Profile: one person's history as the columns of a model, with what was liked, disliked, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.feedback import FeedbackWeights
from recsys.interactions import NO_TIME, Interactions
from recsys.matrix import Index
from recsys.recency import as_asked
from recsys.recommender import Recommender


@dataclass(frozen=True, eq=False)
class Profile:
    """row: (1, n_items) strengths of what was liked, not faded. order: (nnz,) when each last occurred, larger is later;
    None where nothing says it. ids: (k,) every item touched. seen: (k,) their int32 columns, -1 for an item that the
    model does not know. refused: (k,) bool, disliked. liked: strength by id, of items that the model does not know too.
    """

    row: csr_matrix
    order: np.ndarray | None
    ids: np.ndarray
    seen: np.ndarray
    refused: np.ndarray
    liked: Mapping[str, float]

    @classmethod
    def of(cls, items: Index, history: Interactions, weights: FeedbackWeights) -> Self:
        """A history as a model with these items reads it."""
        preferences = weights.preferences(history)
        ids, strength = history.item.labels[preferences.item], preferences.strength
        names = ids.tolist()
        seen = items.find(names)
        at = np.flatnonzero((strength > 0) & (seen >= 0))  # one person's preferences name an item once
        at = at[np.argsort(seen[at])]
        row = csr_matrix((strength[at], seen[at], np.array([0, len(at)], dtype=np.int32)), shape=(1, len(items)))
        latest = _latest(history)
        order = None if latest is None else latest[preferences.item[at]]
        liked = {names[k]: value for k, value in enumerate(strength.tolist()) if value > 0}
        return cls(row, order, ids, seen, preferences.disliked, liked)

    @property
    def known(self) -> bool:
        """Does the model know anything that was liked?"""
        return bool(self.row.nnz)

    def without(self, out: np.ndarray, ids: frozenset[str]) -> Self:
        """As if these had not been liked: (nnz,) bool, the row's entries, and their ids. They stay seen."""
        kept = ~out
        row = csr_matrix(
            (self.row.data[kept], self.row.indices[kept], np.array([0, kept.sum()], dtype=np.int32)),
            shape=self.row.shape,
        )
        order = None if self.order is None else self.order[kept]
        return replace(self, row=row, order=order, liked={k: v for k, v in self.liked.items() if k not in ids})

    def asked(self, model: Recommender) -> csr_matrix:
        """(1, n_items) CSR: the row as this model wants it for ``score``."""
        return as_asked(model, self.row, self.order)


def _latest(history: Interactions) -> np.ndarray | None:
    """(labels,) microseconds when each item last occurred, -inf without a time; None where nothing has one."""
    timed = history.time != NO_TIME
    if not timed.any():
        return None
    latest = np.full(len(history.item.labels), -np.inf)
    np.maximum.at(latest, history.item.codes, np.where(timed, history.time, -np.inf))  # exact to the year 2255
    return latest
