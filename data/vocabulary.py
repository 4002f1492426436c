"""Vocabulary: the users, items and event types that rows speak of, each known by a number while it is on its way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.fingerprint import fingerprints
from data.records import MAX_EVENT, MAX_ID, check_columns, check_id, used_labels
from recsys.interactions import Encoded, Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n events on their way into the store, (n,) each. user, item, event: numbers, of a Vocabulary's labels first and
    of the database's rows at last; value, time as in Interactions; key: None, or object with "" for none."""

    user: np.ndarray
    item: np.ndarray
    event: np.ndarray
    fingerprint: np.ndarray
    value: np.ndarray
    time: np.ndarray
    key: np.ndarray | None

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray | slice) -> Rows:
        return Rows(
            self.user[rows],
            self.item[rows],
            self.event[rows],
            self.fingerprint[rows],
            self.value[rows],
            self.time[rows],
            None if self.key is None else self.key[rows],
        )


class Labels:
    """Distinct strings, checked once each and numbered in the order in which they came."""

    def __init__(self, noun: str, longest: int) -> None:
        self.noun, self.longest = noun, longest
        self.numbers: dict[str, int] = {}

    def codes(self, column: Encoded) -> np.ndarray:
        """(n,) int32 of a column. Labels that no row uses are not taken in. DataError for one that cannot be an id."""
        used = used_labels(column)
        labels = column.labels[used].tolist()
        found = list(map(self.numbers.get, labels))
        if None in found:
            for at, number in enumerate(found):
                if number is None:
                    label = check_id(labels[at], self.noun, self.longest)
                    found[at] = self.numbers[label] = len(self.numbers)
        table = np.full(len(column.labels), -1, dtype=np.int32)
        table[used] = np.array(found, dtype=np.int32)
        return table[column.codes]

    def __len__(self) -> int:
        return len(self.numbers)


class Vocabulary:
    """The labels of an import, or of one request."""

    def __init__(self) -> None:
        self.users = Labels("user", MAX_ID)
        self.items = Labels("item", MAX_ID)
        self.events = Labels("event", MAX_EVENT)

    def rows(self, interactions: Interactions) -> Rows:
        """Interactions with their labels taken in. DataError for anything that a store must not hold."""
        check_columns(interactions)
        return Rows(
            self.users.codes(interactions.user),
            self.items.codes(interactions.item),
            self.events.codes(interactions.event),
            fingerprints(interactions),
            interactions.value,
            interactions.time,
            interactions.key,
        )
