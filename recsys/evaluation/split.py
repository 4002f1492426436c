"""Split: data cut for one evaluation, so that what a model learns from, is given and should find are apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.matrix import Index, InteractionMatrix
from recsys.recommender import Holdout


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Somebody or something that a protocol does not ask about: how many of what, and why."""

    count: int
    what: str
    why: str


@dataclass(frozen=True, eq=False)
class Split:
    """Data cut for one evaluation. All matrices share the columns of ``items``.

    train: (n_train, n_items) CSR to learn from, its rows named by train_users. given, hidden: (n, n_items) CSR, rows
    named by users; hidden has at least one entry in each row. validation: held-out rows for every choice, or None when
    the data is too small; its rows are named by validation_users. facts: counts for the report; data: what the whole
    was cut from (sha256 and counts). given_order: (nnz of given,) when each entry last occurred, larger is later; None
    where that is unknown, or says nothing about what is hidden.

    description: who is asked about what, a sentence. left_out: who is not, and why. seed: of every random choice made
    here. label: which of several splits of one evaluation this is ("seed 1", "from 2021-03-01"). Times are microseconds
    since 1970, `recsys.interactions.NO_TIME` where unknown: latest_trained of anything in train, None where nothing has
    one; hidden_times (nnz of hidden,) and last_given (n,), the latest of each history, None where nothing has one.
    """

    name: str
    train: csr_matrix
    given: csr_matrix
    hidden: csr_matrix
    items: Index
    users: tuple[str, ...]
    validation: Holdout | None
    facts: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)
    train_users: tuple[str, ...] = ()
    given_order: np.ndarray | None = None
    validation_users: tuple[str, ...] = ()
    description: str = ""
    left_out: tuple[LeftOut, ...] = ()
    seed: int = 0
    label: str = ""
    latest_trained: int | None = None
    hidden_times: np.ndarray | None = None
    last_given: np.ndarray | None = None


def describe(matrices: Iterable[InteractionMatrix]) -> dict[str, Any]:
    """sha256 over ids and strengths in sorted order, the same for the same interactions in any order, and counts."""
    digest, users, items, interactions = hashlib.sha256(), set[str](), set[str](), 0
    for one in matrices:
        for ids in (one.users.ids.tolist(), one.items.ids.tolist()):
            digest.update("\n".join(ids).encode() + b"\n\n")
        for array, kind in ((one.matrix.indptr, "<i8"), (one.matrix.indices, "<i4"), (one.matrix.data, "<f4")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        users.update(one.users.ids.tolist())
        items.update(one.items.ids.tolist())
        interactions += one.matrix.nnz
    return {"sha256": digest.hexdigest(), "users": len(users), "items": len(items), "interactions": interactions}


def asked_about(splits: Iterable[Split]) -> str:
    """sha256 of the test parts: who is asked, given what, to find what. Equal for two evaluations of one question."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update("\n".join((split.name, *split.users, "", *split.items.ids.tolist())).encode() + b"\n\n")
        for part in (split.given, split.hidden):
            digest.update(np.ascontiguousarray(part.indptr, dtype="<i8").tobytes())
            digest.update(np.ascontiguousarray(part.indices, dtype="<i4").tobytes())
    return digest.hexdigest()
