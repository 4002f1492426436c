"""InteractionMatrix: who preferred what, as one sparse matrix between two frozen indexes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError, UnknownId
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions


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
        return np.fromiter((self.by_id.get(id_, -1) for id_ in ids), dtype=np.int32)


@dataclass(frozen=True, eq=False)
class InteractionMatrix:
    """matrix: (len(users), len(items)) float32 CSR with int32 indices, sorted, without duplicates or zeros."""

    matrix: csr_matrix
    users: Index
    items: Index

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
        preferences = weights.preferences(interactions, now)
        kept = preferences.strength > 0
        user, item, strength = preferences.user, preferences.item, preferences.strength
        if not kept.all():
            user, item, strength = user[kept], item[kept], strength[kept]
        user, item, strength = _at_least(user, item, strength, min_user, min_item)
        if not len(strength):
            raise DataError(*_nothing_left(interactions, weights, min_user, min_item))
        user, users = _number(user, interactions.user.labels, "user")
        item, items = _number(item, interactions.item.labels, "item")
        matrix = csr_matrix((strength, (user, item)), shape=(len(users), len(items)), dtype=np.float32)
        matrix.sort_indices()
        return cls(matrix, users, items)


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


def _number(codes: np.ndarray, labels: np.ndarray, noun: str) -> tuple[np.ndarray, Index]:
    """Codes into labels -> numbers in the sorted order of the labels that occur."""
    used = np.flatnonzero(np.bincount(codes, minlength=len(labels)))
    ids = labels[used]
    order = np.argsort(ids, kind="stable")
    numbers = np.full(len(labels), -1, dtype=np.int32)
    numbers[used[order]] = np.arange(len(used), dtype=np.int32)
    return numbers[codes], Index(ids[order], noun)


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
