"""The content prior: items that a model does not know, by the categories that they share with a history.

Vector space model with term frequency 1 and inverse document frequency (Salton and Buckley 1988, "Term-weighting
approaches in automatic text retrieval"): an item is the unit vector of its categories, a category weighing
ln(1 + N / n) where n of N articles have it; a profile is the sum of its items, each times its strength.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsys.serving.assortment import Assortment


@dataclass(frozen=True, eq=False)
class _Table:
    """unit: (n_articles, n_categories) float64 CSR, rows of length 1, empty without categories. rank: (n_articles,)
    int32 places among all, newer first, then by id: who goes first where scores are the same.
    """

    unit: csr_matrix
    rank: np.ndarray


@lru_cache(maxsize=2)  # an assortment is frozen; the one in use, and the one before it
def _table(assortment: Assortment) -> _Table:
    sets = assortment.categories.astype(np.float64)
    sets.sort_indices()  # the same categories give the same bits in whatever order they were named
    holders = np.bincount(sets.indices, minlength=sets.shape[1])
    weight = np.log1p(sets.shape[0] / np.maximum(holders, 1))
    weighted = sets @ diags_array(weight)
    length = np.sqrt(weighted.multiply(weighted).sum(axis=1))
    unit = csr_matrix(diags_array(1 / np.where(length > 0, length, 1).ravel()) @ weighted)
    ids = [article.id for article in assortment.articles]
    by_id = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int32)
    # turned round twice: the negative of NO_TIME is NO_TIME
    order = by_id[::-1][np.argsort(assortment.created[by_id[::-1]], kind="stable")[::-1]]
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    return _Table(unit, rank)


def by_content(
    assortment: Assortment, liked: Mapping[str, float], allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(numbers of articles (k,) int32, scores (k,) float32 in (0, 1]), best first; of equals the newer, then by id.

    Those of the allowed, (n_articles,) bool, that share a category with the history. liked: strengths above 0 by item
    id; ids that the assortment does not hold count nowhere. score: the cosine of the history's profile and the item.
    """
    table = _table(assortment)
    numbers, strengths = _held(assortment, liked)
    profile = table.unit[numbers].T @ strengths
    length = float(np.linalg.norm(profile))
    if not length:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    some = np.flatnonzero(allowed)
    profile /= length
    few = 4 * len(some) < len(allowed)  # picking rows costs more than multiplying them
    cosine = table.unit[some] @ profile if few else (table.unit @ profile)[some]
    cosine = np.minimum(cosine, 1).astype(np.float32)
    alike = cosine > 0
    some, cosine = some[alike], cosine[alike]
    # Bits of positive floats are in the same order as they are, so that one sort does for both keys.
    bits = cosine.view(np.int32).astype(np.int64)
    order = np.argsort(table.rank[some] - (bits << 32))
    return some[order].astype(np.int32), cosine[order]


def content_reasons(assortment: Assortment, liked: Mapping[str, float], item: str) -> list[tuple[str, float]]:
    """(id of the history's item, its share of the score of ``by_content``), the largest first, then by id.

    Exact: a profile is a sum over items, and so is its product with one more. The shares sum to 1; only items with a
    category in common have one. Empty where none has, or where the assortment does not hold the item.
    """
    number = assortment.by_id.get(item)
    if number is None:
        return []
    unit = _table(assortment).unit
    numbers, strengths = _held(assortment, liked)
    parts = (unit[numbers] @ unit[[number]].toarray()[0]) * strengths
    whole = parts.sum()
    found = [(assortment.articles[n].id, float(part / whole)) for n, part in zip(numbers, parts, strict=True) if part]
    return sorted(found, key=lambda reason: (-reason[1], reason[0]))


def wanted(assortment: Assortment, liked: Mapping[str, float]) -> np.ndarray:
    """(n_categories,) float64: the history's shares of categories, columns as in ``assortment.category_index``.

    Steck 2018, "Calibrated recommendations", equation 2: an item divides its strength equally among its categories; one
    without any counts nowhere. Sums to 1; all 0 where nothing liked has a category.
    """
    numbers, strengths = _held(assortment, liked)
    rows = assortment.categories[numbers]
    mass = rows.T @ (strengths / np.maximum(np.diff(rows.indptr), 1))
    return mass / (mass.sum() or 1.0)


def _held(assortment: Assortment, liked: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, strengths) of what the assortment holds."""
    found = [(assortment.by_id[id_], strength) for id_, strength in liked.items() if id_ in assortment.by_id]
    numbers = np.array([number for number, _ in found], dtype=np.int32)
    return numbers, np.array([strength for _, strength in found], dtype=np.float64)
