"""Why a history was flagged, in words for whoever has to judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import hypergeom

from recsys.anomalies.peers import usual
from recsys.anomalies.twins import Twins
from recsys.evaluation.catalogue import Catalogue
from recsys.matrix import Index

_TENTH = 0.1
_NAMED = 3
_TELLING = 1.645  # deviations of genuine people from which a sign is worth a sentence: one in twenty has it
_HOLDERS = 3  # flagged people who must have an item before it is called shared
_LUCK = 0.01  # probability of any item at all being shared that much by chance


@dataclass(frozen=True, slots=True)
class Shared:
    """An item that many flagged people have and few others: perhaps what they are there to push.

    flagged: how many of the flagged have it; others: share of everybody else who does.
    """

    item: str
    title: str
    flagged: int
    others: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """What reasons are made of. own: (nnz,) places by the model; common: (n_items,) places by popularity; signs: (n, 2)
    deviations of "badly restored" and "no better than by popularity"; judged: (n,) who is anybody's peer."""

    rows: csr_matrix
    own: np.ndarray
    common: np.ndarray
    signs: np.ndarray
    twins: Twins
    judged: np.ndarray


def reasons(
    evidence: Evidence,
    flagged: np.ndarray,
    shared: Sequence[Shared],
    users: Sequence[str],
    items: Index,
    catalogue: Catalogue,
) -> dict[int, tuple[str, ...]]:
    """row -> sentences, for each flagged row; the most telling first."""
    rows, own = evidence.rows, evidence.own
    lengths = np.diff(rows.indptr)
    row = np.repeat(np.arange(rows.shape[0]), lengths)
    low, low_usual = _typical((own > _TENTH).astype(np.float64), row, lengths, evidence.judged)
    low, low_usual = np.rint(low * lengths), np.rint(low_usual * lengths)
    down, down_usual = (np.exp(one) for one in _typical(np.log(own), row, lengths, evidence.judged))
    up, up_usual = (
        np.exp(one) for one in _typical(np.log(evidence.common[rows.indices] / own), row, lengths, evidence.judged)
    )
    pushed = {items.number(one.item): one for one in shared}
    said: dict[int, tuple[str, ...]] = {}
    for person in np.flatnonzero(flagged):
        n = int(lengths[person])
        entries = slice(rows.indptr[person], rows.indptr[person + 1])
        columns, signs = rows.indices[entries], evidence.signs[person]
        worst = columns[np.argsort(-own[entries], kind="stable")[:_NAMED]]
        named = ", ".join(f"“{catalogue.title(str(items.ids[column]))}”" for column in worst)  # titles have commas
        badly = (
            f"{low[person]:.0f} of {n} items are not in the first tenth of the list that the rest of this history "
            f"leads to (usual with about {n} items: {low_usual[person]:.0f})"
            if low[person] > low_usual[person]
            else f"an item typically comes after {down[person]:.1%} of the list that the rest of this history leads to "
            f"(geometric mean; usual with about {n} items: {down_usual[person]:.1%})"
        )
        told = {
            0: f"{badly}, least of all {named}",
            1: f"the rest of this history predicts an item {_than_popularity(up[person])} its popularity alone: "
            f"ranked {up[person]:.1f} times as high (usual: {up_usual[person]:.1f} times)",
        }
        sentences = [told[sign] for sign in np.argsort(-signs).tolist() if signs[sign] > _TELLING]
        others = int(evidence.twins.others[person])
        if others:
            alike, nearest = int(evidence.twins.shared[person]), users[evidence.twins.nearest[person]]
            sentence = f"nearly a copy: shares {alike} of {n} items with user {nearest}"
            sentences.insert(0, sentence + (f", in a group of {others + 1} such people" if others > 1 else ""))
        sentences = sentences or [told[int(np.argmax(signs))]]
        held = [pushed[column] for column in columns.tolist() if column in pushed]
        if held:
            one = max(held, key=lambda item: item.flagged)
            sentences.append(f"has {one.title}, like {one.flagged} of all flagged and {one.others:.1%} of the others")
        said[int(person)] = tuple(sentences)
    return said


def shared_items(rows: csr_matrix, flagged: np.ndarray, items: Index, catalogue: Catalogue) -> tuple[Shared, ...]:
    """Items that flagged people have far more often than chance has it (hypergeometric, Bonferroni), clearest first."""
    n, k = rows.shape[0], int(flagged.sum())
    if not 0 < k < n:
        return ()
    everybody = np.bincount(rows.indices, minlength=rows.shape[1])
    among = np.bincount(rows[np.flatnonzero(flagged)].indices, minlength=rows.shape[1])
    p = hypergeom.sf(among - 1, n, everybody, k)
    enough = np.flatnonzero((among >= _HOLDERS) & (p * len(p) < _LUCK))
    best = enough[np.lexsort((enough, -among[enough] / everybody[enough], p[enough]))]
    return tuple(
        Shared(str(item), catalogue.title(str(item)), int(among[c]), float((everybody[c] - among[c]) / (n - k)))
        for c in best
        for item in [items.ids[c]]
    )


def _than_popularity(times: float) -> str:
    return "worse than" if times < 0.95 else "no better than" if times < 1.05 else "little better than"


def _typical(
    values: np.ndarray, row: np.ndarray, lengths: np.ndarray, judged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """((n,) mean of the entries' values in each row, (n,) what is usual for that at its length)."""
    mean = np.bincount(row, weights=values, minlength=len(lengths)) / np.maximum(lengths, 1)
    return mean, usual(mean, lengths, judged)[0]
