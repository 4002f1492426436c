"""Catalogue: what is known of items and users beside who took what, for metrics, cohorts and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from recsys.matrix import Index


@dataclass(frozen=True)
class Catalogue:
    """By external id, each where it is known: titles and categories of items, attributes of users and of items.

    An attribute's values are text. Empty is a catalogue of which nothing is known.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def title(self, item: str) -> str:
        """The item's title, or its id where it has none."""
        return self.titles.get(item) or item

    def category_matrix(self, items: Index) -> tuple[csr_matrix, list[str]]:
        """((n_items, n_categories) float64 CSR, the categories' names, sorted).

        A row divides 1 equally among the item's categories (Steck 2018, p(g|i)); an item without any has an empty row.
        """
        known = [sorted(set(self.categories.get(item, ()))) for item in items.ids.tolist()]
        names = sorted({name for one in known for name in one})
        number = {name: k for k, name in enumerate(names)}
        sizes = np.array([len(one) for one in known], dtype=np.int64)
        columns = np.array([number[name] for one in known for name in one], dtype=np.int64)
        shares = np.repeat(1.0 / np.maximum(sizes, 1), sizes)
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        return csr_matrix((shares, columns, indptr), shape=(len(known), len(names))), names
