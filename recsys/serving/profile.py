"""Profile: one person's history as the columns of a model, with what was liked, disliked, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import Index
from recsys.recency import as_asked, moments
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

    def asked(self, model: Recommender) -> csr_matrix:
        """(1, n_items) CSR: the row as this model wants it for ``score``."""
        return as_asked(model, self.row, self.order)


def _latest(history: Interactions) -> np.ndarray | None:
    """(labels,) when each item last occurred, larger is later; None where nothing says it."""
    places = moments(history)
    if places is None:
        return None
    latest = np.zeros(len(history.item.labels))
    np.maximum.at(latest, history.item.codes, places + 1.0)
    return latest
