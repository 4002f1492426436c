"""examples: a few people with what they had, what was hidden and every model's list, chosen by rule, never by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from recsys.errors import SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.split import Split
from recsys.interactions import NO_TIME
from recsys.recency import of_rows

LONGEST = 15  # items shown of a history, and of what was hidden
_PLACES = {"lower quarter": 0.25, "upper quarter": 0.75, "median": 0.5}
_EIGHTHS = (1, 7, 3, 5, 2, 6)


def examples(
    split: Split,
    results: Mapping[str, PerUser],
    catalogue: Catalogue,
    metric: str,
    n: int = 10,
    shown: int = 10,
) -> list[dict[str, Any]]:
    """The report's "examples": at most n people of the split, all different, each with ``why`` it is this one.

    The first model's values in ``metric`` say who: the median, the worst, the best and, after whom the models disagree
    on most, the quarters and medians among those of short and of long histories. shown: items of each model's list.
    Who has a NaN there is not chosen. The same results give the same people. SettingError where ``metric`` is none that
    a person has a value in.
    """
    for name, one in results.items():
        if metric not in one.values:
            raise SettingError(f"{name} has no {metric} of single people", do=f"use one of: {', '.join(one.values)}")
    chosen: dict[int, str] = {}
    for why, order, place in _rules(split, {name: one.values[metric] for name, one in results.items()}, metric):
        if len(chosen) >= n:
            break
        free = np.flatnonzero([row not in chosen for row in order.tolist()])
        if len(free):
            nearest = free[np.abs(free - place).argmin()]
            chosen[int(order[nearest])] = why if nearest == place else f"{why}: the nearest who is not shown above"
    popularity = np.asarray(split.train.sum(axis=0), dtype=np.float64).ravel()
    return [
        _example(split, results, catalogue, metric, row, shown, popularity) | {"why": why}
        for row, why in chosen.items()
    ]


def _rules(split: Split, values: Mapping[str, np.ndarray], metric: str) -> Iterator[tuple[str, np.ndarray, int]]:
    """(why in words, rows in an order, the place in it), the most telling first.

    The order is by value; of equals the shorter history first, then the earlier in ``split.users``.
    """
    if not values:
        return
    names = list(values)
    every = np.column_stack(list(values.values()))
    known = np.flatnonzero(~np.isnan(every[:, 0]))
    lengths, first = np.diff(split.given.indptr), f"{names[0]}'s {metric}"

    def ordered(rows: np.ndarray) -> np.ndarray:
        return rows[np.lexsort((rows, lengths[rows], every[rows, 0]))]

    def at(share: float, rows: np.ndarray) -> tuple[np.ndarray, int]:
        return ordered(rows), round(share * (len(rows) - 1))

    of_all = f"among all {len(known):,} people"
    yield f"typical: the median of {first} {of_all}", *at(0.5, known)
    yield f"the lowest of {first} {of_all}", *at(0, known)
    yield f"the highest of {first} {of_all}", *at(1, known)
    if len(names) > 1 and len(known):
        apart = np.nanmax(every[known], axis=1) - np.nanmin(every[known], axis=1)
        widest = known[np.argsort(-apart, kind="stable")]
        yield f"where the models disagree most: the largest difference in {metric} between any two", widest, 0
    groups = []
    if len(known):
        short, long = np.percentile(lengths[known], [100 / 3, 200 / 3], method="nearest")
        if short < long:
            groups = [
                (f"the third with the shortest histories (up to {short:,} items)", known[lengths[known] <= short]),
                (f"the third with the longest histories ({long:,} items or more)", known[lengths[known] >= long]),
            ]
    for place, share in _PLACES.items():
        for label, rows in groups:
            yield f"the {place} of {first} among {label}", *at(share, rows)
    for eighth in _EIGHTHS:
        yield f"{eighth} eighths up the order of {first} {of_all}", *at(eighth / 8, known)


def _example(
    split: Split,
    results: Mapping[str, PerUser],
    catalogue: Catalogue,
    metric: str,
    row: int,
    shown: int,
    popularity: np.ndarray,
) -> dict[str, Any]:
    given, given_by = _latest(split.given, split.given_order, row, popularity)
    hidden, hidden_by = _latest(split.hidden, split.hidden_times, row, popularity)
    ids = split.items.ids

    def named(column: int) -> dict[str, Any]:
        return {"item": ids[column], "title": catalogue.title(ids[column])}

    wanted = set(hidden)
    values = {name: float(one.values[metric][row]) for name, one in results.items()}
    return {
        "user": split.users[row],
        "given": [
            named(column) | {"categories": list(catalogue.categories.get(ids[column], ()))}
            for column in given[:LONGEST]
        ],
        "given_total": len(given),
        "given_by": given_by,
        "hidden": [named(column) for column in hidden[:LONGEST]],
        "hidden_total": len(hidden),
        "hidden_by": hidden_by,
        "lists": {
            name: [
                named(column) | {"hit": column in wanted} for column in one.lists[row, :shown].tolist() if column >= 0
            ]
            for name, one in results.items()
        },
        "values": {name: None if np.isnan(value) else value for name, value in values.items()},
    }


def _latest(matrix: Any, order: np.ndarray | None, row: int, popularity: np.ndarray) -> tuple[list[int], str]:
    """The columns of one row, the newest first where their order is known, else the most popular; ties by column."""
    columns = matrix[row].indices
    moment = of_rows(matrix, order, np.array([row]))
    if moment is None or (moment == NO_TIME).any():
        return columns[np.lexsort((columns, -popularity[columns]))].tolist(), "most popular first"
    return columns[np.lexsort((columns, -moment))].tolist(), "newest first"
