"""What lists are like beside being right: novelty, diversity, popularity and calibration, one value a user.

Every function takes items, (n, k) int32: the columns listed, best first, -1 where a list is shorter; given, (n,
n_items) CSR: the histories the lists were made from; and About. It returns (n,) float64, NaN for a user whose value is
undefined: always where nothing is listed. Strengths do not count here, only who took what. None of these says that a
list is good: a random one is novel and diverse. They are to be read beside a metric of hits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import rel_entr

from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.split import Split

SMOOTHING = 0.01  # the share of the history mixed into the list's categories, as in Steck 2018
_MOST_SUMS = 2**22  # rows x training users held at once


@dataclass(frozen=True, eq=False)
class About:
    """What is known of the items before anything is recommended, from training and the catalogue.

    train: (n_users, n_items) CSR; taken: (n_items,) int64, how many of its users took the item. categories: (n_items,
    n_categories) CSR as `Catalogue.category_matrix` gives it, or None where no item has one.
    """

    train: csr_matrix
    taken: np.ndarray
    categories: csr_matrix | None

    @classmethod
    def of(cls, split: Split, catalogue: Catalogue | None = None) -> Self:
        categories = None if catalogue is None else catalogue.category_matrix(split.items)[0]
        if categories is not None and not categories.nnz:
            categories = None  # those there are may be of other items
        return cls(split.train, np.bincount(split.train.indices, minlength=split.train.shape[1]), categories)

    @cached_property
    def takers(self) -> csr_matrix:
        """(n_items, n_users) float64 CSR: who took the item, a row of length 1; empty for an item nobody took."""
        by_item = self.train.tocsc()
        values = np.repeat(1 / np.sqrt(np.maximum(self.taken, 1)), self.taken)
        return csr_matrix((values, by_item.indices, by_item.indptr), shape=by_item.shape[::-1])


def novelty(items: np.ndarray, given: csr_matrix, about: About) -> np.ndarray:
    """Mean over the list of -log2(share of the training users who took the item), in bits.

    Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma", as Vargas and Castells 2011 name it (popularity
    complement, in logarithms). An item nobody took would be infinitely novel: it counts as if one user had taken it.
    """
    bits = -np.log2(np.maximum(about.taken, 1) / about.train.shape[0])
    return _mean_listed(bits, items)


def diversity(items: np.ndarray, given: csr_matrix, about: About) -> np.ndarray:
    """Mean over the pairs of the list of 1 - cosine of the two items' training columns (Ziegler et al. 2005, averaged).

    The cosine is (users who took both) / sqrt(users of one x users of the other), 0 where nobody took one of them. 1:
    no two were taken by the same person; 0: all by the same people. NaN with fewer than two items. Worked out through
    |sum of x|^2 = sum of |x|^2 + 2 x sum over pairs of the cosines, without a matrix of items by items.
    """
    n = (items >= 0).sum(axis=1)
    squares = np.empty(len(items))
    step = max(1, _MOST_SUMS // max(about.train.shape[0], 1))
    for start in range(0, len(items), step):
        sums = _rows(items[start : start + step], len(about.taken)) @ about.takers
        sums.data **= 2
        squares[start : start + step] = sums.sum(axis=1).A1
    alone = np.where(items >= 0, about.taken[items] > 0, False).sum(axis=1)
    return 1 - _divide(squares - alone, n * (n - 1))


def popularity_lift(items: np.ndarray, given: csr_matrix, about: About) -> np.ndarray:
    """(Mean popularity of the list) / (mean popularity of the history) - 1; popularity: training users who took it.

    Abdollahpouri et al. 2020, "The connection between popularity bias, calibration, and fairness in recommendation",
    there for groups of users, here for each. 0: as popular as what the person takes; 1: twice; -0.5: half. NaN where
    the history is empty, or nobody in training took anything of it.
    """
    in_history = _divide(_taken(given) @ about.taken, np.diff(given.indptr))
    return _divide(_mean_listed(about.taken, items), in_history) - 1


def calibration(items: np.ndarray, given: csr_matrix, about: About) -> np.ndarray:
    """KL(p || q~) in nats, p the history's shares of categories, q the list's, q~ = (1 - a) q + a p with a = 0.01.

    Steck 2018, "Calibrated recommendations", equations 2, 3 and 6, all items with the same weight. 0: the list has the
    history's mix; -ln a = 4.6: no category in common. An item divides 1 equally among its categories; one without any
    counts nowhere. NaN where the history or the list has no category.
    """
    if about.categories is None:
        return np.full(len(items), np.nan)
    p = _shares(_taken(given) @ about.categories)
    q = _shares(_rows(items, len(about.taken)) @ about.categories)
    return rel_entr(p, (1 - SMOOTHING) * q + SMOOTHING * p).sum(axis=1)


def _mean_listed(values: np.ndarray, items: np.ndarray) -> np.ndarray:
    """(n,) the mean of (n_items,) values over each list."""
    listed = items >= 0
    return _divide(np.where(listed, values[items], 0).sum(axis=1), listed.sum(axis=1))


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, NaN where b is 0 or undefined."""
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0)


def _shares(counts: csr_matrix) -> np.ndarray:
    """(n, n_categories) each row divided by its sum, NaN where that is 0."""
    dense = counts.toarray()
    return _divide(dense, dense.sum(axis=1, keepdims=True))


def _taken(given: csr_matrix) -> csr_matrix:
    """1 wherever a history has an item, whatever its strength."""
    return csr_matrix((np.ones(given.nnz), given.indices, given.indptr), shape=given.shape)


def _rows(items: np.ndarray, n_items: int) -> csr_matrix:
    """Lists as (n, n_items) CSR, 1 where an item is listed."""
    listed = items >= 0
    indptr = np.concatenate([[0], np.cumsum(listed.sum(axis=1))])
    return csr_matrix((np.ones(indptr[-1]), items[listed], indptr), shape=(len(items), n_items))
