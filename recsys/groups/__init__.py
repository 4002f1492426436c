"""Similar people: groups of users by interest, from a model's codes, and what distinguishes each in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.errors import DataError
from recsys.evaluation.catalogue import Catalogue
from recsys.groups import distinct
from recsys.groups.clusters import Clusters, find_groups
from recsys.groups.quantities import quantities
from recsys.groups.words import Profile, names, sentence
from recsys.matrix import Index
from recsys.recommender import Holdout

__all__ = ["Group", "Groups", "find_groups", "similar_people"]

_BATCH = 8192  # histories encoded at once


class Encodes(Protocol):
    """A model with a bottleneck: autoencoder and svd."""

    def encode(self, rows: csr_matrix) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its name, its sentence, and the facts behind both."""

    name: str
    words: str
    profile: Profile


@dataclass(frozen=True, eq=False)
class Groups:
    """users: ids of all n users. clusters: who is where. groups: one of each, numbered as in clusters.

    again: how often half of a history is put into the same group as the whole; None where none could be halved.
    """

    users: Sequence[str]
    clusters: Clusters
    groups: tuple[Group, ...]
    again: float | None


def similar_people(
    model: Encodes,
    rows: csr_matrix,
    users: Sequence[str],
    items: Index,
    catalogue: Catalogue,
    seed: int,
    n_groups: int | None = None,
) -> Groups:
    """Groups of the people behind ``rows`` by ``recsys.groups.clusters.find_groups``, each with a name and a sentence.

    rows: (len(users), len(items)) CSR of histories, as the model is trained on. What is said is counted over whole
    histories, and only said where a random half of each history confirms it, with people grouped by the other half
    alone (`recsys.groups.distinct`). n_groups: how many, at most; None: chosen.
    DataError when nobody has a history, or users and rows are not as many.
    """
    if len(users) != rows.shape[0]:
        raise DataError(f"{len(users)} users came with {rows.shape[0]} histories")
    clusters = find_groups(_encoded(model, rows), rows, seed, n_groups)
    tested_group, tested = _crossed(model, rows, clusters, seed)
    k = len(clusters.centres)
    people = distinct.People(clusters.group, rows, tested_group, tested, k)
    lengths = np.diff(rows.indptr)
    overall = float(np.median(lengths[clusters.group >= 0]))
    differ = distinct.significant(distinct.mean_differs(np.log(np.maximum(lengths, 1)), clusters.group, k))
    told = zip(
        distinct.categories(people, items, catalogue),
        distinct.items(people, items, catalogue),
        distinct.attributes(clusters.group, k, users, catalogue),
        quantities(people, items, catalogue),
        strict=True,
    )
    sizes = clusters.sizes
    profiles = [
        Profile(
            users=int(sizes[g]),
            share=float(sizes[g] / sizes.sum()),
            categories=categories,
            items=typical,
            attributes=attributes,
            quantities=means,
            length=float(np.median(lengths[clusters.group == g])),
            overall_length=overall,
            lengths_differ=bool(differ[g]),
        )
        for g, (categories, typical, attributes, means) in enumerate(told)
    ]
    groups = tuple(
        Group(name, sentence(profile, clusters.stability, only=k == 1), profile)
        for name, profile in zip(names(profiles), profiles, strict=True)
    )
    halved = tested_group >= 0
    again = float((tested_group == np.tile(clusters.group, 2))[halved].mean()) if halved.any() else None
    return Groups(users, clusters, groups, again)


def _crossed(model: Encodes, rows: csr_matrix, clusters: Clusters, seed: int) -> tuple[np.ndarray, csr_matrix]:
    """Everybody twice: (2n,) the group by one half of the history, -1 where it has but one item, and the other half."""
    halves = Holdout.of(rows, 0.5, np.random.default_rng(seed))
    halved = halves.hidden.getnnz(axis=1) > 0
    groups = [clusters.nearest(_encoded(model, half)) for half in (halves.given, halves.hidden)]
    return np.where(np.tile(halved, 2), np.concatenate(groups), -1), vstack([halves.hidden, halves.given], format="csr")


def _encoded(model: Encodes, rows: csr_matrix) -> np.ndarray:
    return np.concatenate([model.encode(rows[at : at + _BATCH]) for at in range(0, max(rows.shape[0], 1), _BATCH)])
