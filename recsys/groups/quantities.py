"""What is counted or dated about the items of a group, such as their year: means that differ from everybody's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.catalogue import Catalogue
from recsys.groups import distinct
from recsys.groups.distinct import PEOPLE, People
from recsys.matrix import Index

EFFECT = 0.75  # standard deviations between people from which a difference is worth a word
_KNOWN = 0.5  # share of the items of which it must be known


@dataclass(frozen=True, slots=True)
class Quantity:
    """A numeric attribute of items. mean: of the group, over people the mean of their items; overall: of everybody."""

    name: str
    mean: float
    overall: float


def quantities(people: People, items: Index, catalogue: Catalogue) -> list[list[Quantity]]:
    """Of each group the numeric attributes of items whose mean is another than everybody's, largest difference first.

    Tested on the halves of the histories like categories, on both sides. An attribute that is no number for one of its
    items, or known for few of them, or called an id, is not asked about.
    """
    told: list[list[tuple[float, Quantity]]] = [[] for _ in range(people.groups)]
    numeric = _numeric(items, catalogue)
    tested = {name: _means(people.tested, values) for name, values in numeric.items()}
    asked = [distinct.mean_differs(tested[name], people.tested_group, people.groups) for name in numeric]
    differ = distinct.significant(np.array(asked).reshape(len(numeric), people.groups))
    for row, (name, values) in zip(differ, numeric.items(), strict=True):
        means = _means(people.rows, values)
        known = np.isfinite(means) & (people.group >= 0)
        if not known.any():
            continue
        overall, spread = float(means[known].mean()), float(means[known].std())
        for g in np.flatnonzero(row):
            inside = means[known & (people.group == g)]
            if len(inside) >= PEOPLE and abs(inside.mean() - overall) >= EFFECT * spread > 0:
                quantity = Quantity(name, float(inside.mean()), overall)
                told[g].append((abs(quantity.mean - overall) / spread, quantity))
    return [[quantity for _, quantity in sorted(one, key=lambda pair: -pair[0])] for one in told]


def _numeric(items: Index, catalogue: Catalogue) -> dict[str, np.ndarray]:
    """name -> (n_items,) values, NaN where unknown."""
    ids = items.ids.tolist()
    names = sorted({name for item in ids for name in catalogue.items.get(item, ())})
    found = {}
    for name in names:
        texts = [catalogue.items.get(item, {}).get(name, "") for item in ids]
        values = [_number(text) for text in texts]
        known = sum(text != "" for text in texts)
        if known < _KNOWN * len(ids) or name.lower().endswith("id"):
            continue
        if sum(not math.isnan(value) for value in values) == known:
            found[name] = np.array(values)
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _means(rows: csr_matrix, values: np.ndarray) -> np.ndarray:
    """(n,) the mean value of each history's items, NaN where none is known."""
    known = np.isfinite(values)
    ones = csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)
    counts = ones @ known.astype(np.float64)
    sums = ones @ np.where(known, values, 0.0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
