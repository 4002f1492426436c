"""sides: what people had and what they newly took to, two parts brought onto the same columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import masked
from recsys.evaluation.protocols.rows import among, filled, onto, rows_of
from recsys.matrix import Index, InteractionMatrix
from recsys.recency import of_rows


@dataclass(frozen=True, eq=False)
class Sides:
    """What people had, and the new things they took to: n users who have any.

    history: (m, n_items) CSR of everybody's, its entries in the order they had. rows: (n,) each one's row of it, -1 for
    none. given, hidden: (n, n_items) CSR, without a pair in both. hidden_times: (nnz of hidden,) or None.
    repeated: pairs of the later part that are in the history; satisfied: users with nothing but those; unknown, short:
    users not asked for having no history, or too short a one.
    """

    items: Index
    history: csr_matrix
    users: tuple[str, ...]
    rows: np.ndarray
    given: csr_matrix
    hidden: csr_matrix
    hidden_times: np.ndarray | None
    repeated: int
    satisfied: int
    unknown: int
    short: int


def sides(
    history: InteractionMatrix,
    later: InteractionMatrix,
    times: np.ndarray | None = None,
    *,
    least: int = 0,
    items: Index | None = None,
    trained: InteractionMatrix | None = None,
) -> Sides:
    """Both parts on the same columns: ``items``, or those of the history and after them the later part's own.

    times: (nnz,) of the entries of ``later``. least: ask nobody with a shorter history. A row of ``later`` may be
    empty: who has nothing there is not asked. trained: what is learnt from; what the history lacks of it, because
    it was taken back since, is nothing new either and counts as repeated.
    """
    items = items if items is not None else columns(history.items, later.items)
    whole, after = onto(history.matrix, history.items, items), onto(later.matrix, later.items, items)
    rows = history.users.find(later.users.ids.tolist())
    given = rows_of(whole, rows)
    again = among(after, given)
    if trained is not None:
        learnt = onto(trained.matrix, trained.items, items)
        again |= among(after, rows_of(learnt, trained.users.find(later.users.ids.tolist())))
    hidden = masked(after, ~again)
    anything, new = np.diff(after.indptr) > 0, np.diff(hidden.indptr) > 0
    had = np.diff(given.indptr)
    asked = new & (had >= least)
    if times is not None:
        moved = onto(filled(later.matrix, times), later.items, items).data
        times = of_rows(hidden, moved[~again], asked)
    return Sides(
        items=items,
        history=whole,
        users=tuple(later.users.ids[asked]),
        rows=rows[asked],
        given=given[asked],
        hidden=hidden[asked],
        hidden_times=times,
        repeated=int(again.sum()),
        satisfied=int((anything & ~new).sum()),
        unknown=int((new & ~asked & (had == 0)).sum()),
        short=int((new & ~asked & (had > 0)).sum()),
    )


def columns(first: Index, *others: Index) -> Index:
    """The items of the first, then, sorted, those that only the others know."""
    known = first.ids.tolist()
    more = set[str]().union(*(other.ids.tolist() for other in others)) - set(known)
    return Index.of([*known, *sorted(more)], noun="item")
