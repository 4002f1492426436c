"""What distinguishes each group: categories, items, attributes and lengths of history that are more common in it.

Groups are made to differ in what people took, so the data they were made from would call any of it significant. What is
tested is therefore the half of each history that was hidden when its owner was put into a group (`tested` below),
either half in turn; what is told is counted over whole histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.special import ndtr

from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.statistics import holm
from recsys.groups.spherical import members
from recsys.matrix import Index

LEVEL = 0.05  # of Holm's correction, over everything asked about all groups
LIFT = 1.1  # less than this is not worth a word
PEOPLE = 5  # nothing is told that fewer people stand for
VALUES = 30  # an attribute of more values than this is not asked about
_PRIOR = 0.05  # the prior's weight beside the counts it is made of


@dataclass(frozen=True, slots=True)
class Feature:
    """Something more common in a group. share: in the group, overall: among everybody, lift: share / overall.

    Of a category, the mean over people of its share of their items; of an item, the people who took it; of an
    attribute's value, the people who have it among those of whom it is known. name: the category, the item's id, or the
    value. of: the item's title, the attribute's name, or "".
    """

    name: str
    of: str
    share: float
    overall: float

    @property
    def lift(self) -> float:
        return self.share / self.overall

    @property
    def residual(self) -> float:
        """Pearson's, for one person: it favours neither the common, as differences do, nor the rare, as lifts do."""
        return (self.share - self.overall) / self.overall**0.5


@dataclass(frozen=True, eq=False)
class People:
    """group: (n,) -1 where left out; rows: (n, n_items) their histories; groups: how many there are.

    tested_group, tested: (m,) and (m, n_items), people parted by one half of their histories, and the other half.
    """

    group: np.ndarray
    rows: csr_matrix
    tested_group: np.ndarray
    tested: csr_matrix
    groups: int


def categories(people: People, items: Index, catalogue: Catalogue) -> list[list[Feature]]:
    """Of each group the categories that take a larger share of its histories, what says most first.

    Tested by Welch's z over people, one-sided. An item of two categories counts for both.
    """
    of_items, names = catalogue.category_matrix(items)
    if not names:
        return [[] for _ in range(people.groups)]
    of_items = _ones(of_items)
    p = _more_in_group(_shares(people.tested, of_items), people.tested_group, people.groups)
    shares = _shares(people.rows, of_items)
    inside = members(people.group, people.groups)
    share = _means(inside, shares)
    overall = _means(members(np.where(people.group >= 0, 0, -1), 1), shares)[0]
    touched = inside @ _ones(people.rows @ of_items)
    told = significant(p) & (touched.toarray() >= PEOPLE)
    return [
        _ranked([Feature(names[c], "", float(share[g, c]), float(overall[c])) for c in np.flatnonzero(told[g])])
        for g in range(people.groups)
    ]


def items(people: People, index: Index, catalogue: Catalogue, most: int = 10) -> list[list[Feature]]:
    """Of each group the items that more of its people took, surest first: at most ``most``.

    The log-odds of an item in the group against the rest, with everybody's counts as an informative Dirichlet prior,
    divided by its standard error (Monroe, Colaresi and Quinn, "Fightin' Words", 2008, equations 16, 20 and 22). There
    are thousands of items and a few serve as examples, so these are held to a false discovery rate of LEVEL.
    """
    inside = members(people.group, people.groups)
    took = (inside @ _ones(people.rows)).toarray()
    everybody = took.sum(axis=0)
    asked = took >= PEOPLE
    z = np.full(took.shape, -np.inf)
    columns = np.flatnonzero(asked.any(axis=0))
    counts = (members(people.tested_group, people.groups) @ _ones(people.tested)).toarray()
    if len(columns):
        z[:, columns] = log_odds(counts)[:, columns]
    told = significant(np.where(asked, ndtr(-z), np.nan))
    share = took / np.maximum(inside.getnnz(axis=1), 1)[:, None]
    overall = everybody / max(1, inside.nnz)
    told &= share > LIFT * overall
    answer = []
    for g in range(people.groups):
        surest = np.flatnonzero(told[g])[np.argsort(-z[g, told[g]], kind="stable")][:most]
        ids = index.ids[surest].tolist()
        facts = zip(ids, map(catalogue.title, ids), share[g, surest].tolist(), overall[surest].tolist(), strict=True)
        answer.append([Feature(*fact) for fact in facts])
    return answer


def attributes(group: np.ndarray, k: int, users: Sequence[str], catalogue: Catalogue) -> list[list[Feature]]:
    """Of each group the values of users' attributes that are more common in it, by a two-proportion z, one-sided.

    Groups are not made from attributes, so these are tested as they are. Told only where at least PEOPLE of the group
    have the value and as many have another.
    """
    found: list[tuple[int, Feature, float]] = []
    asked = sorted({name for user in users for name in catalogue.users.get(user, ())})
    for name in asked:
        values = [catalogue.users.get(user, {}).get(name, "") for user in users]
        known = np.array([value != "" for value in values]) & (group >= 0)
        labels = sorted({value for value, here in zip(values, known, strict=True) if here})
        if not 2 <= len(labels) <= VALUES:
            continue
        number = {label: v for v, label in enumerate(labels)}
        value = np.array([number.get(one, 0) for one in values])
        counts = np.zeros((k, len(labels)))
        np.add.at(counts, (group[known], value[known]), 1)
        of_group, of_value, everybody = counts.sum(axis=1, keepdims=True), counts.sum(axis=0), counts.sum()
        rest = np.maximum(everybody - of_group, 1)
        pooled = of_value / everybody
        error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(of_group, 1) + 1 / rest))
        z = (counts / np.maximum(of_group, 1) - (of_value - counts) / rest) / error
        for g, v in zip(*np.nonzero((counts >= PEOPLE) & (of_group - counts >= PEOPLE)), strict=True):
            feature = Feature(labels[v], name, float(counts[g, v] / of_group[g, 0]), float(pooled[v]))
            found.append((int(g), feature, float(ndtr(-z[g, v]))))
    adjusted = holm([p for _, _, p in found])
    told = [(g, feature) for (g, feature, _), p in zip(found, adjusted, strict=True) if p < LEVEL]
    return [_ranked([feature for of, feature in told if of == g]) for g in range(k)]


def mean_differs(values: np.ndarray, group: np.ndarray, k: int) -> np.ndarray:
    """(k,) two-sided p of Welch's z: a group has the same mean as the others. values: (n,), NaN where unknown."""
    group = np.where(np.isfinite(values), group, -1)
    known = np.where(np.isfinite(values), values, 0.0)
    known = known - known[group >= 0].mean() if (group >= 0).any() else known  # squares of years would lose digits
    both = csr_matrix(np.stack([known, -known], axis=1))
    return np.minimum(_more_in_group(both, group, k).min(axis=1) * 2, 1)


def log_odds(counts: np.ndarray) -> np.ndarray:
    """(groups, n) z of the log-odds of each of n words in a group against all others, of (groups, n) counts.

    The prior is everybody's counts, times _PRIOR; a word nobody used is 0 everywhere.
    """
    everybody = counts.sum(axis=0)
    total = everybody.sum()
    used = everybody > 0
    z = np.zeros(counts.shape)
    prior = _PRIOR * everybody[used]
    for g, row in enumerate(counts):
        here, there = row[used] + prior, everybody[used] - row[used] + prior
        n_here, n_there = row.sum() + prior.sum(), total - row.sum() + prior.sum()
        difference = np.log(here / (n_here - here)) - np.log(there / (n_there - there))
        z[g, used] = difference / np.sqrt(1 / here + 1 / there)
    return z


def _shares(rows: csr_matrix, of_items: csr_matrix) -> csr_matrix:
    """(n, n_categories): the share of each history that is of each category."""
    rows = _ones(rows)
    return (diags(1 / np.maximum(rows.getnnz(axis=1), 1)) @ rows @ of_items).tocsr()


def _more_in_group(shares: csr_matrix, group: np.ndarray, k: int) -> np.ndarray:
    """(k, n_categories) one-sided p of Welch's z: a group's mean is no larger than the mean of the others.

    Where nobody differs from their own side, as when a group takes nothing else, the spread is everybody's.
    """
    inside = members(group, k)
    n = inside.getnnz(axis=1)[:, None].astype(np.float64)
    sums, squares = (inside @ shares).toarray(), (inside @ shares.power(2)).toarray()
    others = n.sum() - n

    def mean_and_error(sums: np.ndarray, squares: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = sums / np.maximum(n, 1)
        return mean, (squares / np.maximum(n, 1) - mean**2).clip(0) / np.maximum(n - 1, 1)

    here, error = mean_and_error(sums, squares, n)
    there, error_there = mean_and_error(sums.sum(axis=0) - sums, squares.sum(axis=0) - squares, others)
    _, alike = mean_and_error(sums.sum(axis=0)[None], squares.sum(axis=0)[None], n.sum(keepdims=True))
    pooled = alike * n.sum() * (1 / np.maximum(n, 1) + 1 / np.maximum(others, 1))
    error = np.sqrt(np.where(error + error_there > 0, error + error_there, pooled))
    z = np.divide(here - there, error, out=np.zeros_like(here), where=error > 0)
    return np.where((n > 1) & (others > 1), ndtr(-z), 1.0)


def significant(p: np.ndarray) -> np.ndarray:
    """Where p stands Holm's correction over all of them."""
    return np.array(holm(p.ravel().tolist())).reshape(p.shape) < LEVEL


def _mostly_true(p: np.ndarray) -> np.ndarray:
    """Where p is among the smallest, of which a share of LEVEL is chance (Benjamini and Hochberg 1995)."""
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= LEVEL * np.arange(1, len(p) + 1) / max(len(p), 1))
    told = np.zeros(len(p), dtype=bool)
    told[order[: below[-1] + 1 if len(below) else 0]] = True
    return told


def _ranked(features: list[Feature]) -> list[Feature]:
    """Those worth a word, what says most first."""
    return sorted((one for one in features if one.lift > LIFT), key=lambda one: -one.residual)


def _means(inside: csr_matrix, shares: csr_matrix) -> np.ndarray:
    return (inside @ shares).toarray() / np.maximum(inside.getnnz(axis=1), 1)[:, None]


def _ones(matrix: csr_matrix) -> csr_matrix:
    """The same entries, each 1."""
    return csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
