"""Groupings every evaluation has: by length of history, by popularity of items, by when people were last seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.evaluation.split import Split
from recsys.interactions import MICROSECONDS_PER_DAY, NO_TIME, iso_time


@dataclass(frozen=True, eq=False)
class Group:
    """masks: one a split, bool over its users or over its items, as the cohort says."""

    name: str
    label: str
    masks: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Cohort:
    """A way to part people or items. Every group has a member. Groups of users do not overlap."""

    name: str
    about: str
    of: Literal["users", "items"]
    groups: tuple[Group, ...]


def by_history_length(splits: Sequence[Split]) -> Cohort:
    """cold, warm, heavy: the quarter with the shortest given histories, the half between and the longest quarter."""
    lengths = [np.diff(split.given.indptr) for split in splits]
    every = np.concatenate(lengths)
    bounds = cut(every[every > 0], (0.25, 0.75))
    groups = [("new", "new: nothing given", [length == 0 for length in lengths])]
    for name, low, high in zip(("cold", "warm", "heavy"), (1.0, *bounds), (*bounds, np.inf), strict=True):
        masks = [(length >= low) & (length < high) for length in lengths]
        groups.append((name, f"{name}: {_span(every[np.concatenate(masks)])}", masks))
    about = (
        "How many items each person gave: the quarter with the fewest, the half between and the quarter with the most, "
        "as nearly as equal lengths stay together."
    )
    return Cohort("history length", about, "users", _with_members(groups))


def by_recency(splits: Sequence[Split]) -> Cohort:
    """recent, earlier, long ago: thirds by the day of the last interaction given. No group where no day is known."""
    nothing = [np.full(len(split.users), NO_TIME, dtype=np.int64) for split in splits]
    times = [
        none if split.last_given is None else split.last_given for split, none in zip(splits, nothing, strict=True)
    ]
    seen = [time != NO_TIME for time in times]
    days = [time // MICROSECONDS_PER_DAY for time in times]
    every, any_seen = np.concatenate(days), np.concatenate(seen)
    bounds = cut(every[any_seen], (1 / 3, 2 / 3))
    groups = []
    for name, low, high in zip(("long ago", "earlier", "recent"), (-np.inf, *bounds), (*bounds, np.inf), strict=True):
        masks = [one & (day >= low) & (day < high) for one, day in zip(seen, days, strict=True)]
        chosen = every[np.concatenate(masks)]
        ends = (
            [iso_time(int(day) * MICROSECONDS_PER_DAY)[:10] for day in (chosen.min(), chosen.max())]
            if len(chosen)
            else []
        )
        groups.append((name, f"{name}: {' to '.join(dict.fromkeys(ends))}", masks))
    groups = [*reversed(groups), ("unknown", "unknown: no time given", [~one for one in seen])]
    about = "When each person was last seen in what they gave: thirds by day, as nearly as one day stays together."
    return Cohort("recency", about, "users", _with_members(groups) if any_seen.any() else ())


def by_item_popularity(splits: Sequence[Split]) -> Cohort:
    """head, middle, tail of the items, by how many people in training have them; of each split its own."""
    parts = [_popularity_parts(np.bincount(split.train.indices, minlength=split.train.shape[1])) for split in splits]
    groups = []
    for number, name in enumerate(("head", "middle", "tail")):
        masks = [part == number for part in parts]
        groups.append((name, f"{name}: {_sizes(masks)} items", masks))
    about = (
        "Only hidden items of the group count as relevant, and lists are judged whole. Head: the fewest items that "
        "make half of the training interactions; tail: the least popular, which make the last fifth, and all that "
        "nobody trained on; items of equal popularity stay together. People without a hidden item of the group are "
        "left out."
    )
    return Cohort("item popularity", about, "items", _with_members(groups))


def cut(values: np.ndarray, shares: Sequence[float]) -> list[float]:
    """For each share the value such that about that share of the values is below it; infinity where that is all.

    Equal values stay on one side, so it is the nearest to the share that is possible.
    """
    distinct, counts = np.unique(values, return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)]) / max(len(values), 1)
    bounds = np.append(distinct.astype(np.float64), np.inf)
    # Of two equally near the one nearer the middle: two lengths, half of people each, are cold and heavy.
    return [float(bounds[np.argmin(np.abs(below - share) + 1e-9 * np.abs(below - 0.5))]) for share in shares]


def _popularity_parts(popularity: np.ndarray) -> np.ndarray:
    """(n_items,) 0 for the head, 1 for the middle, 2 for the tail."""
    counts, items = np.unique(popularity, return_counts=True)
    made = counts * items
    total = made.sum()
    from_above, from_below = np.cumsum(made[::-1])[::-1], np.cumsum(made)
    head = counts[np.flatnonzero(2 * from_above >= total)[-1]]
    tail = counts[np.flatnonzero(5 * from_below >= total)[0]]
    return np.where((popularity >= head) & (popularity > 0), 0, np.where(popularity <= tail, 2, 1))


def _span(lengths: np.ndarray) -> str:
    if not len(lengths):
        return ""
    low, high = int(lengths.min()), int(lengths.max())
    return f"{low:,} to {high:,} items" if low < high else f"{low:,} item{'s' if low != 1 else ''}"


def _sizes(masks: Sequence[np.ndarray]) -> str:
    """How many of how many; the least and the most where splits differ."""
    ends = [(min(sizes), max(sizes)) for sizes in ([int(m.sum()) for m in masks], [len(m) for m in masks])]
    return " of ".join(f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in ends)


def _with_members(groups: Sequence[tuple[str, str, Sequence[np.ndarray]]]) -> tuple[Group, ...]:
    return tuple(Group(name, label, tuple(masks)) for name, label, masks in groups if any(m.any() for m in masks))
