"""InteractionMatrix: who preferred what, as one sparse matrix between two frozen indexes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError, UnknownId
from recsys.feedback import FeedbackWeights
from recsys.interactions import Encoded, Interactions


@dataclass(frozen=True, eq=False)
class Index:
    """External ids outside, column numbers inside: ``ids[number]`` is the id. Frozen; ids are distinct."""

    ids: np.ndarray  # (n,) object array of str
    noun: str = "id"

    def __post_init__(self) -> None:
        if self.ids.dtype != object:
            raise DataError(f"an index needs an object array of str, not {self.ids.dtype}")

    @classmethod
    def of(cls, ids: Sequence[str], noun: str = "id") -> Index:
        array = np.empty(len(ids), dtype=object)
        array[:] = list(ids)
        index = cls(array, noun)
        if len(index.by_id) != len(array):
            raise DataError(f"an index of {noun}s needs distinct ids: {len(array) - len(index.by_id)} repeat")
        return index

    @cached_property
    def by_id(self) -> dict[str, int]:
        return {id_: number for number, id_ in enumerate(self.ids.tolist())}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id_: str) -> bool:
        return id_ in self.by_id

    def number(self, id_: str) -> int:
        """The column of one id. UnknownId when it has none."""
        return int(self.numbers([id_])[0])

    def numbers(self, ids: Iterable[str]) -> np.ndarray:
        """(k,) int32 columns. UnknownId names the ids that have none."""
        wanted = list(ids)
        found = self.find(wanted)
        if (found < 0).any():
            missing = [id_ for id_, number in zip(wanted, found, strict=True) if number < 0]
            more = f" and {len(missing) - 3} more" if missing[3:] else ""
            named = ", ".join(repr(id_) for id_ in missing[:3]) + more
            raise UnknownId(f"unknown {self.noun}: {named}", where=f"an index of {len(self)} {self.noun}s")
        return found

    def find(self, ids: Iterable[str]) -> np.ndarray:
        """(k,) int32 columns, -1 for ids the index does not hold."""
        return np.fromiter(map(self.by_id.get, ids, repeat(-1)), dtype=np.int32)


@dataclass(frozen=True, eq=False)
class InteractionMatrix:
    """matrix: (len(users), len(items)) float32 CSR with int32 indices, sorted, without duplicates or zeros.

    order: (nnz,) when each entry last occurred, larger is later (`recsys.recency.order_of`); None where nobody asked.
    """

    matrix: csr_matrix
    users: Index
    items: Index
    order: np.ndarray | None = None

    @classmethod
    def build(
        cls,
        interactions: Interactions,
        weights: FeedbackWeights | None = None,
        min_user: int = 1,
        min_item: int = 1,
        now: int | None = None,
    ) -> InteractionMatrix:
        """Weigh the events, combine repeats, drop what nobody preferred, and number what is left.

        Ids are numbered in sorted order, so the same events in any row order give the same matrix. min_user, min_item:
        every user kept has at least min_user items and every item kept at least min_item users, counted after removal.
        Raises DataError when nothing is left.
        """
        weights = weights if weights is not None else FeedbackWeights()
        users, items = _sorted(interactions.user, "user"), _sorted(interactions.item, "item")
        preferences = weights.preferences(replace(interactions, user=users, item=items), now)
        user, item, strength = preferences.user, preferences.item, preferences.strength
        del preferences
        kept = strength > 0
        if not kept.all():
            user, item, strength = user[kept], item[kept], strength[kept]
        del kept
        user, item, strength = _at_least(user, item, strength, min_user, min_item)
        if not len(strength):
            raise DataError(*_nothing_left(interactions, weights, min_user, min_item))
        rows = np.diff(np.searchsorted(user, np.arange(len(users.labels) + 1, dtype=np.int32)))
        del user
        held = rows > 0
        indptr = np.zeros(int(held.sum()) + 1, dtype=np.int32)
        np.cumsum(rows[held], out=indptr[1:])
        liked = np.zeros(len(items.labels), dtype=bool)
        liked[item] = True
        if not liked.all():
            item = (np.cumsum(liked, dtype=np.int32) - 1)[item]  # numbering what is left keeps the order
        shape = (len(indptr) - 1, int(liked.sum()))
        matrix = csr_matrix((strength, item, indptr), shape=shape)
        return cls(matrix, Index(users.labels[held], "user"), Index(items.labels[liked], "item"))


def history_row(items: Index, ids: Sequence[str], strengths: Sequence[float] | np.ndarray | None = None) -> csr_matrix:
    """(1, len(items)) CSR of one history; ids the index does not hold and strengths of 0 are left out."""
    columns = items.find(ids)
    values = np.ones(len(columns), dtype=np.float32) if strengths is None else np.asarray(strengths, dtype=np.float32)
    kept = (columns >= 0) & (values > 0)
    columns, values = columns[kept], values[kept]
    row = csr_matrix((values, columns, np.array([0, len(columns)], dtype=np.int32)), shape=(1, len(items)))
    row.sum_duplicates()
    return row


def _at_least(
    user: np.ndarray, item: np.ndarray, strength: np.ndarray, min_user: int, min_item: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    while len(user):
        enough = np.ones(len(user), dtype=bool)
        if min_user > 1:
            enough &= np.bincount(user)[user] >= min_user
        if min_item > 1:
            enough &= np.bincount(item)[item] >= min_item
        if enough.all():
            break
        user, item, strength = user[enough], item[enough], strength[enough]
    return user, item, strength


def _sorted(column: Encoded, noun: str) -> Encoded:
    """The same column with its labels in sorted order: from here on, order of code is order of id."""
    if (column.labels[:-1] < column.labels[1:]).all():
        return column
    labels = column.labels.tolist()
    order = np.array(sorted(range(len(labels)), key=labels.__getitem__), dtype=np.int32)
    ids = column.labels[order]
    if (ids[1:] == ids[:-1]).any():
        raise DataError(f"a column's labels must be distinct, but {noun} {ids[:-1][ids[1:] == ids[:-1]][0]!r} repeats")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Encoded(rank[column.codes], ids)


def _nothing_left(interactions: Interactions, weights: FeedbackWeights, min_user: int, min_item: int) -> tuple[str]:
    if not len(interactions):
        return ("there are no interactions",)
    unruled = weights.unruled(interactions)
    if sum(unruled.values()) == len(interactions):
        named = ", ".join(f"'{name}' ({count:,} rows)" for name, count in list(unruled.items())[:5])
        return (f"no event type here has a rule: {named}; give each an [events.NAME] section in recsys.toml",)
    return (
        f"none of {len(interactions):,} interactions counts as a preference with at least {min_user} items a user and "
        f"{min_item} users an item; see [events.*] in recsys.toml",
    )
