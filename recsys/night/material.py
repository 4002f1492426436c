"""Material: what a night learns from, apart from whom it judges by; on disk it names nobody."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import Index, InteractionMatrix
from recsys.panel import SHARE, halvings, on_panel, share_for
from recsys.recency import of_rows, order_of
from recsys.serving.files import map_verified, write_folder

_ARRAYS, _FACTS = "material.npz", "material.json"
_MATRICES = ("learnt", "panel")


@dataclass(frozen=True, eq=False)
class Material:
    """learnt: the matrix to train on, with its order. panel: that of the people kept apart, None where nobody is.

    share: how large a part is kept apart (`recsys.panel`). halvings: (n panel users,) as there. until: the time of the
    latest event learnt from, in microseconds; None where nothing has one. sha256: of ``learnt``, people's ids left out.
    """

    learnt: InteractionMatrix
    panel: InteractionMatrix | None
    share: float
    halvings: np.ndarray
    until: int | None
    sha256: str

    @classmethod
    def of(
        cls,
        interactions: Interactions,
        weights: FeedbackWeights | None = None,
        min_user: int = 1,
        min_item: int = 1,
        share: float = SHARE,
    ) -> Self:
        """Everybody but the panel to learn from, the panel beside it, both as of the same moment.

        share: of the people that the panel is to have; none of few people (`recsys.panel.share_for`). Raises DataError
        when nothing is left to learn from.
        """
        weights = weights if weights is not None else FeedbackWeights()
        used = np.zeros(len(interactions.user.labels), dtype=bool)
        used[interactions.user.codes] = True
        share = share_for(int(used.sum()), share)
        apart = on_panel(interactions.user.labels.tolist(), share)[interactions.user.codes]
        kept = interactions if not apart.any() else interactions.take(~apart)
        span = kept.span()  # of those learnt from alone: nothing about the others is in a version, not even a time
        now = None if span is None else span[1]
        learnt = _ordered(kept, InteractionMatrix.build(kept, weights, min_user, min_item, now=now))
        panel = None
        if apart.any():
            try:
                others = interactions.take(apart)
                panel = _ordered(others, InteractionMatrix.build(others, weights, now=now))
            except DataError:  # they did nothing that counts
                panel = None
        people = [] if panel is None else panel.users.ids.tolist()
        return cls(learnt, panel, share, halvings(people, share), now, fingerprint(learnt))

    def card(self) -> dict[str, Any]:
        """What a bundle's card says of the data it learnt from."""
        data = {"users": len(self.learnt.users), "items": len(self.learnt.items)}
        data["preferences"] = int(self.learnt.matrix.nnz)
        return {"panel": self.share, "data": {**data, "sha256": self.sha256, "until": self.until}}

    def save(self, folder: Path) -> None:
        """Write a new folder, whole or not at all, that replaces one of that name. People are numbers in it."""
        arrays: dict[str, np.ndarray] = {"halvings": self.halvings}
        for name in _MATRICES:
            data: InteractionMatrix | None = getattr(self, name)
            if data is None:
                continue
            arrays |= {f"{name}_{part}": getattr(data.matrix, part) for part in ("indptr", "indices", "data")}
            if data.order is not None:
                arrays[f"{name}_order"] = data.order
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        facts = {
            "share": self.share,
            "until": self.until,
            "sha256": self.sha256,
            "items": {name: data.items.ids.tolist() for name in _MATRICES if (data := getattr(self, name)) is not None},
        }
        shutil.rmtree(folder, ignore_errors=True)
        write_folder(folder, {_ARRAYS: buffer.getvalue(), _FACTS: json.dumps(facts).encode()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote; the people are called by their numbers. DamagedBundle where it is not whole."""
        files, _ = map_verified(folder, frozenset({_ARRAYS, _FACTS}))
        facts = json.loads(bytes(files[_FACTS]))
        with np.load(io.BytesIO(files[_ARRAYS]), allow_pickle=False) as arrays:
            found = {name: _read(arrays, name, facts["items"][name]) for name in _MATRICES if name in facts["items"]}
            depth = arrays["halvings"]
        return cls(found["learnt"], found.get("panel"), facts["share"], depth, facts["until"], facts["sha256"])

    def judges(self, share: float) -> InteractionMatrix | None:
        """The people on the panel who are on that of a version with this share, too; None where nobody is."""
        if self.panel is None or share <= 0:
            return None
        if share >= self.share:
            return self.panel
        kept = self.halvings >= np.ceil(np.log2(self.share / share))
        return _people(self.panel, kept) if kept.any() else None


def fingerprint(data: InteractionMatrix) -> str:
    """64 hex digits that stand for who preferred what, how much and in what order; the people's ids are no part."""
    digest = hashlib.sha256("\n".join(data.items.ids.tolist()).encode("utf-8", "replace"))
    matrix = data.matrix
    order = np.zeros(0, dtype=np.int64) if data.order is None else data.order
    for array, kind in ((matrix.indptr, "<i8"), (matrix.indices, "<i4"), (matrix.data, "<f4"), (order, "<i8")):
        digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    return digest.hexdigest()


def _people(data: InteractionMatrix, kept: np.ndarray) -> InteractionMatrix:
    """Some rows of a matrix; the items stay."""
    users = Index.of(data.users.ids[kept].tolist(), "user")
    return InteractionMatrix(data.matrix[kept], users, data.items, of_rows(data.matrix, data.order, kept))


def _ordered(interactions: Interactions, data: InteractionMatrix) -> InteractionMatrix:
    return replace(data, order=order_of(interactions, data))


def _read(arrays: Mapping[str, np.ndarray], name: str, items: list[str]) -> InteractionMatrix:
    indptr, indices, data = (arrays[f"{name}_{part}"] for part in ("indptr", "indices", "data"))
    matrix = csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, len(items)))
    users = Index.of([str(number) for number in range(matrix.shape[0])], "user")
    return InteractionMatrix(matrix, users, Index.of(items, "item"), arrays.get(f"{name}_order"))
