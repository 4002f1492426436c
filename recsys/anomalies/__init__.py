"""Anomalies: histories a model cannot restore the way it restores those of other people, for a person to judge.

Each history is hidden part by part and ranked by what is left of it. Two things are strange against peers of similar
length: its items come far down, and the rest of the history says no more about them than their popularity. Made-up
profiles are strange in one of the two ways or in both. Near-copies of another history are told beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import norm

from recsys.anomalies.peers import compared
from recsys.anomalies.restoring import FOLDS, Refit, common_places, crossed_places, places
from recsys.anomalies.twins import twins
from recsys.anomalies.words import Evidence, Shared, reasons, shared_items
from recsys.errors import DataError, SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.matrix import Index
from recsys.recommender import Recommender

__all__ = ["Anomalies", "Refit", "Shared", "find_anomalies"]

SHORTEST = FOLDS  # items; a shorter history says too little
FEWEST = 100  # people; fewer have no peers, and no tail to speak of


@dataclass(frozen=True, eq=False)
class Anomalies:
    """One entry a person, in the order of the rows; nobody is removed from anything.

    users: external ids. lengths: items of the history. score: deviations from what is usual among peers, in units of
    their upper tail: a genuine person is above z about as often as a normal variable. p: that probability. judged:
    False for who has too few items; their score is 0 and their p 1. flagged: score above ``threshold``, which is
    crossed by the share ``false_alarms`` of genuine people, or twin. twin: nearly a copy of another history; genuine
    people are that next to never. reasons: row -> sentences, for the flagged. shared: items that the flagged have in
    common. places: (nnz of the rows, sorted by column) where each item came when it was hidden, 0 first and 1 last, 1/2
    for who was not judged. crossed: was everybody judged by a model that had not seen them?
    """

    users: tuple[str, ...]
    lengths: np.ndarray
    score: np.ndarray
    p: np.ndarray
    judged: np.ndarray
    flagged: np.ndarray
    twin: np.ndarray
    threshold: float
    false_alarms: float
    reasons: Mapping[int, tuple[str, ...]]
    shared: tuple[Shared, ...]
    places: np.ndarray
    crossed: bool

    @property
    def expected(self) -> float:
        """How many people would be flagged by score if all were genuine."""
        return self.false_alarms * int(self.judged.sum())

    @property
    def order(self) -> np.ndarray:
        """The flagged rows, strangest first."""
        flagged = np.flatnonzero(self.flagged)
        return flagged[np.argsort(-self.score[flagged], kind="stable")]


def find_anomalies(
    model: Recommender,
    rows: csr_matrix,
    users: Sequence[str],
    items: Index,
    catalogue: Catalogue,
    false_alarms: float = 0.01,
    seed: int = 0,
    refit: Refit | None = None,
) -> Anomalies:
    """Judge each of the (n, n_items) ``rows``, which the model may have been trained on.

    refit: trains a model like it on some rows; with it everybody is judged by a model of the other half of the people.
    Without, by ``model`` itself, and a model that learns histories by heart may find an intruder's as likely as any.
    false_alarms: share of genuine people that may be flagged by score. It is kept as far as most people are genuine and
    their tail goes on as the bulk of them says (`recsys.anomalies.peers`).

    Raises SettingError for a rate outside .0001 to .2, DataError for fewer than FEWEST people with SHORTEST items.
    """
    if not 1e-4 <= false_alarms <= 0.2:
        raise SettingError(f"a rate of false alarms must be between 0.0001 and 0.2, not {false_alarms:g}")
    lengths = np.diff(rows.indptr)
    judged = lengths >= SHORTEST
    if judged.sum() < FEWEST:
        raise DataError(
            f"{int(judged.sum())} people have at least {SHORTEST} items: too few to say what is usual",
            do=f"bring more data: {FEWEST} are the least",
        )
    rng = np.random.default_rng(seed)
    rows = csr_matrix(rows, copy=True)
    rows.sort_indices()
    known = rows[judged]
    row = np.repeat(np.arange(known.shape[0]), np.diff(known.indptr))
    seen = places(model, known, rng) if refit is None else crossed_places(refit, known, rng)
    common = common_places(rows)
    surprise = np.bincount(row, weights=np.log(seen)) / lengths[judged]
    gain = np.bincount(row, weights=np.log(common[known.indices]) - np.log(seen)) / lengths[judged]
    found = compared([surprise, -gain], lengths[judged])

    score, p, signs = np.zeros(len(lengths)), np.ones(len(lengths)), np.zeros((len(lengths), 2))
    score[judged], p[judged], signs[judged] = found.score, found.p, found.signs
    own = np.full(rows.nnz, 0.5)
    own[np.repeat(judged, lengths)] = seen
    copies = twins(rows, rng)
    twin = copies.others > 0
    flagged = (p < false_alarms) | twin
    evidence = Evidence(rows, own, common, signs, copies, judged)
    shared = shared_items(rows, flagged, items, catalogue)
    return Anomalies(
        users=tuple(users),
        lengths=lengths,
        score=score,
        p=p,
        judged=judged,
        flagged=flagged,
        twin=twin,
        threshold=float(norm.isf(false_alarms)),
        false_alarms=false_alarms,
        reasons=reasons(evidence, flagged, shared, users, items, catalogue),
        shared=shared,
        places=own,
        crossed=refit is not None,
    )
