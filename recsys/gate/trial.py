"""Trial: the people and the later interactions that versions are compared on. It names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.split import Split
from recsys.gate.columns import renumbered
from recsys.matrix import Index, InteractionMatrix
from recsys.recency import of_rows
from recsys.recommender import Holdout

GIVEN = 0.8  # of each history, the earliest; what is left is to be found
ENOUGH = 5  # preferences: a fifth of fewer is nothing
HEAD = 0.8  # of all interactions in training: the fewest items that have it are the head, the others the tail
COLD = 0.25  # of the people judged: those with the shortest given histories


@dataclass(frozen=True, eq=False)
class Trial:
    """items: the columns of everything here, those of training first, then those that only the panel knows.

    train: (n_train, n_items) CSR, what tonight's candidates learnt from. judged: people of the panel, from whom nobody
    learnt, their latest fifth hidden. learnt: as many people of training at most, a random fifth hidden, which a
    candidate has learnt, as has a champion of some nights ago for the most part. unlearnt: the people judged, row by
    row, cut that way too: how much worse a version does on them says how much it remembers (`recsys.gate.leaks`).
    """

    items: Index
    train: csr_matrix
    judged: Holdout
    learnt: Holdout
    unlearnt: Holdout

    @classmethod
    def of(cls, train: InteractionMatrix, panel: InteractionMatrix, seed: int) -> Self:
        """Both without each other's people. Where ``order`` is None a random fifth is hidden instead of the latest.

        People with fewer than ENOUGH preferences are not asked; there may be none left.
        """
        rng = np.random.default_rng(seed)
        new = [id_ for id_ in panel.items.ids.tolist() if id_ not in train.items]
        items = Index.of([*train.items.ids.tolist(), *new], "item") if new else train.items
        columns = items.numbers(panel.items.ids.tolist())
        asked, asked_order = renumbered(panel.matrix, panel.order, columns, len(items))
        known = csr_matrix(
            (train.matrix.data, train.matrix.indices, train.matrix.indptr), shape=(train.matrix.shape[0], len(items))
        )
        judged = np.flatnonzero(np.diff(asked.indptr) >= ENOUGH)
        able = np.flatnonzero(np.diff(known.indptr) >= ENOUGH)
        learnt = np.sort(rng.choice(able, min(len(able), len(judged)), replace=False))
        return cls(
            items,
            known,
            Holdout.of(asked[judged], GIVEN, rng, of_rows(asked, asked_order, judged)),
            Holdout.of(known[learnt], GIVEN, rng),
            Holdout.of(asked[judged], GIVEN, rng),
        )

    @property
    def people(self) -> int:
        """How many are judged by."""
        return self.judged.given.shape[0]

    @cached_property
    def taken(self) -> np.ndarray:
        """(n_items,) int64: how many people of training took each item."""
        return np.bincount(self.train.indices, minlength=len(self.items))

    @cached_property
    def tail(self) -> np.ndarray:
        """(n_items,) bool: not among the most popular items that make up HEAD of training. New items are tail."""
        falling = np.argsort(-self.taken, kind="stable")
        before = np.cumsum(self.taken[falling]) - self.taken[falling]
        found = np.empty(len(falling), dtype=bool)
        found[falling] = before >= HEAD * self.taken.sum()
        return found

    @cached_property
    def cold(self) -> np.ndarray:
        """(people,) bool: the quarter with the shortest given histories, and whoever's is as short as the longest."""
        lengths = np.diff(self.judged.given.indptr)
        return lengths <= np.quantile(lengths, COLD) if len(lengths) else np.zeros(0, dtype=bool)

    def split(self, people: Holdout) -> Split:
        """As `recsys.evaluation.evaluate` wants it. Nobody is named."""
        return Split(
            "trial", self.train, people.given, people.hidden, self.items, (), None, {}, given_order=people.order
        )
