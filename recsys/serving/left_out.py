"""LeftOut: one person's history scored again with some of its entries left out, a bounded batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.sparse import csr_matrix

from recsys.recency import as_asked, recency_of
from recsys.recommender import Recommender
from recsys.serving.profile import Profile

AT_ONCE = 64  # histories scored together: of 20,000 items 5 MB
TRIED = 300  # entries of a history that are left out one by one


@runtime_checkable
class ClosedForm(Protocol):
    """A model that gets from a history's solution to those of its parts without solving again."""

    def left_out(self, row: csr_matrix) -> Callable[[np.ndarray], np.ndarray]: ...


class LeftOut:
    """What a model would score if parts of a history had never happened.

    A history without an entry is faded anew: all that is older moves up a place. Models with a closed form use it where
    nothing is faded. rows: how many histories were scored so far.
    """

    def __init__(self, model: Recommender, profile: Profile) -> None:
        self.model, self.row, self.order = model, profile.row, profile.order
        self.rows = 0
        self._closed: Callable[[np.ndarray], np.ndarray] | None = None
        if isinstance(model, ClosedForm) and (profile.order is None or not recency_of(model)):
            self._closed = model.left_out(profile.row)

    def tried(self) -> np.ndarray:
        """(k,) the entries that are tried one by one: all, or of a history longer than ``TRIED`` the latest, of equally
        late ones the strongest; where nothing says when, the strongest."""
        when = np.zeros(self.row.nnz) if self.order is None else self.order
        return np.sort(np.lexsort((-self.row.data, -when))[:TRIED])

    def batches(self, removed: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """For (n, nnz) bool, what is left out of each row: (which rows, their (rows, n_items) float32 scores)."""
        for start in range(0, len(removed), AT_ONCE):
            some = slice(start, min(start + AT_ONCE, len(removed)))
            yield some, self._scores(removed[some])
            self.rows += some.stop - some.start

    def _scores(self, removed: np.ndarray) -> np.ndarray:
        if self._closed is not None:
            return self._closed(removed)
        kept = ~removed
        ends = np.zeros(len(kept) + 1, dtype=np.int32)
        np.cumsum(np.count_nonzero(kept, axis=1), out=ends[1:])
        entry = np.nonzero(kept)[1]
        rows = csr_matrix((self.row.data[entry], self.row.indices[entry], ends), shape=(len(kept), self.row.shape[1]))
        return self.model.score(as_asked(self.model, rows, None if self.order is None else self.order[entry]))
