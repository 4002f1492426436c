"""Churn: how far the lists of all users change from one model version to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recsys.errors import SettingError

NAMED = 10  # items that came or went most


@dataclass(frozen=True, slots=True)
class Churn:
    """users: people with a list before or after. n: places of a list that are compared.

    kept: mean over users of the share of the new list that stood in the old one too, in any place; a list that is empty
    on one side alone keeps nothing. unchanged: share of users whose list is the same, in the same order. other: share
    of users with nothing in common. entered, left: (item, lists) of those that came into most lists, or went from most,
    ties by id. The shares are None for no users.
    """

    n: int
    users: int
    kept: float | None
    unchanged: float | None
    other: float | None
    entered: tuple[tuple[str, int], ...]
    left: tuple[tuple[str, int], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class ChurnCounter:
    """Counts one user after the other and keeps no list: memory for the items, not for the users."""

    def __init__(self, n: int) -> None:
        if n < 1:
            raise SettingError(f"lists are compared over at least one place, not {n}")
        self._n = n
        self._users = self._unchanged = self._other = 0
        self._kept = 0.0
        self._entered: Counter[str] = Counter()
        self._left: Counter[str] = Counter()

    def add(self, before: Sequence[str], after: Sequence[str]) -> None:
        """One user's lists, best first, of which the first n count. Two empty ones are no user."""
        old, new = list(before[: self._n]), list(after[: self._n])
        if not old and not new:
            return
        was, is_ = set(old), set(new)
        common = len(was & is_)
        self._users += 1
        self._kept += common / max(len(is_), 1)
        self._unchanged += old == new
        self._other += not common
        self._entered.update(is_ - was)
        self._left.update(was - is_)

    def result(self) -> Churn:
        kept, unchanged, other = (
            value / self._users if self._users else None for value in (self._kept, self._unchanged, self._other)
        )
        return Churn(self._n, self._users, kept, unchanged, other, _most(self._entered), _most(self._left))


def churn(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]], n: int) -> Churn:
    """Lists by user, best first. Who is in one of the two alone had, or has, an empty list."""
    counter = ChurnCounter(n)
    for user in before.keys() | after.keys():
        counter.add(before.get(user, ()), after.get(user, ()))
    return counter.result()


def _most(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED])
