"""Which past items a recommendation could not be without: the smallest sets, searched within a bounded cost."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from recsys.serving.left_out import LeftOut

EVERY = 8  # entries of a history up to which all sets are tried: 247 rows, for all columns together
PAIRED = 32  # entries of a history up to which all pairs are tried: 496 rows, for all columns together
STRONGEST = 8  # contributors to each column whose pairs are tried where a history is longer: 28 rows a column
SIZES = (3, 4, 6, 8, 12, 16, 24)  # how many of the strongest are left out together; more explain nothing to anybody
ROWS = 512  # scored for one column, after what is shared


class Ranking:
    """Which of some columns are not among the first ``depth`` by score; arguments as in `recsys.serving.explain`."""

    def __init__(
        self,
        left_out: LeftOut,
        popularity: np.ndarray,
        columns: np.ndarray,
        blocked: np.ndarray,
        depth: int,
        raised: np.ndarray | None = None,
    ) -> None:
        self.left_out, self.popularity, self.columns = left_out, popularity, columns
        self.blocked, self.depth, self.raised = np.flatnonzero(blocked), depth, raised

    def out(self, scores: np.ndarray, removed: np.ndarray, which: slice = slice(None)) -> np.ndarray:
        """(rows, columns) bool, ties by column as in `top_n`. Without any entry the list is what most people like.

        which: of the columns. What is removed may not come, but for the column itself.
        """
        scores = np.array(scores, dtype=np.float32)
        scores[removed.all(axis=1)] = self.popularity
        if self.raised is not None:
            scores += self.raised * scores.std(axis=1, keepdims=True)
        columns = self.columns[which]
        own = scores[:, columns]
        scores[:, self.blocked] = -np.inf
        row, entry = np.nonzero(removed)
        scores[row, self.left_out.row.indices[entry]] = -np.inf
        place = np.empty(own.shape, dtype=np.int64)
        for k, column in enumerate(columns.tolist()):
            better = np.count_nonzero(scores > own[:, k, None], axis=1)
            place[:, k] = better + np.count_nonzero(scores[:, :column] == own[:, k, None], axis=1)
        return place >= self.depth

    def without(self, removed: np.ndarray, which: slice = slice(None)) -> np.ndarray:
        """(n, columns) bool for (n, nnz) bool, what is left out of each row."""
        parts = [self.out(scores, removed[some], which) for some, scores in self.left_out.batches(removed)]
        return np.concatenate(parts)


def smallest_sets(ranking: Ranking, tried: np.ndarray, drops: np.ndarray, out: np.ndarray) -> list[np.ndarray | None]:
    """For each column the entries without which it is out, the strongest first; None: no set found.

    tried: (k,) entries. drops: (k, columns) what leaving one out costs. out: (1 + k, columns) what is out with the
    whole history, then without each of them.

    Of a history of ``EVERY`` entries or fewer every set is tried: the smallest is found if there is one. Of others a
    set of one or, where all entries are tried, of two is proven smallest, and up to ``PAIRED`` entries a set of three,
    too: nothing smaller is enough. Larger sets are found by leaving out the strongest
    contributors, then putting back what need not be left out: of these no item can be put back, but another choice
    may be smaller. A longer history's pairs are those of the ``STRONGEST`` contributors to any of the columns.

    Rows scored at most, after the entries themselves: for all columns PAIRED (PAIRED - 1) / 2, of a longer history
    STRONGEST (STRONGEST - 1) / 2 a column; then ``ROWS`` a column. No set has more than ``SIZES[-1]`` items.
    """
    found: list[np.ndarray | None] = [None] * drops.shape[1]
    order = np.argsort(-drops, axis=0, kind="stable")
    for k in np.flatnonzero(~out[0] & out[1:].any(axis=0)).tolist():
        found[k] = tried[_strongest_single(drops[:, k], out[1:, k])]
    open_ = [k for k in np.flatnonzero(~out[0]).tolist() if found[k] is None]
    if open_ and len(tried) >= 2:
        _small_sets(ranking, tried, drops, order, open_, found)
    for k in open_ if ranking.left_out.row.nnz > EVERY else []:
        if found[k] is None:
            found[k] = _greedy(ranking, tried[order[: SIZES[-1], k]], k)
    return found


def _strongest_single(drops: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.array([np.argmax(np.where(out, drops, -np.inf))])


def _small_sets(
    ranking: Ranking,
    tried: np.ndarray,
    drops: np.ndarray,
    order: np.ndarray,
    open_: list[int],
    found: list[np.ndarray | None],
) -> None:
    """Of the smallest sets that are enough, the one of the largest drops; ``found`` is filled. A set serves all."""
    sets: list[tuple[int, ...]]
    size = ranking.left_out.row.nnz
    if size <= EVERY:
        sets = [some for k in range(2, size + 1) for some in combinations(range(size), k)]
    elif size <= PAIRED:
        sets = list(combinations(range(size), 2))
    else:
        strongest = (np.sort(order[:STRONGEST, k]).tolist() for k in open_)
        sets = sorted({pair for some in strongest for pair in combinations(some, 2)})
    out = ranking.without(_removed(ranking, [tried[list(some)] for some in sets]))
    for k in open_:
        enough = [np.array(sets[i]) for i in np.flatnonzero(out[:, k])]
        if enough:
            best = min(enough, key=lambda some: (len(some), -drops[some, k].sum()))
            found[k] = tried[best[np.argsort(-drops[best, k], kind="stable")]]


def _greedy(ranking: Ranking, strongest: np.ndarray, k: int) -> np.ndarray | None:
    """The fewest of the strongest, in their order, that are enough, without those that can be put back."""
    spent = ranking.left_out.rows

    def enough(sets: list[np.ndarray]) -> np.ndarray | None:
        """(n,) bool; None where the rows of this column are used up."""
        if ranking.left_out.rows - spent + len(sets) > ROWS:
            return None
        return ranking.without(_removed(ranking, sets), slice(k, k + 1))[:, 0]

    sizes = sorted({min(size, len(strongest)) for size in SIZES})
    out = enough([strongest[:size] for size in sizes])
    if out is None or not out.any():
        return None
    held = strongest[: sizes[int(np.argmax(out))]]
    while True:
        free = enough([np.delete(held, i) for i in range(len(held))])
        if free is None:
            return None
        weakest_first = np.flatnonzero(free)[::-1]
        if not len(weakest_first):
            return held
        smaller = [np.delete(held, weakest_first[: i + 1]) for i in range(len(weakest_first))]
        out = enough(smaller)
        if out is None:
            return None
        held = smaller[int(np.flatnonzero(out)[-1])]


def _removed(ranking: Ranking, sets: list[np.ndarray]) -> np.ndarray:
    """(n, nnz) bool for n sets of entries."""
    removed = np.zeros((len(sets), ranking.left_out.row.nnz), dtype=bool)
    for row, entries in enumerate(sets):
        removed[row, entries] = True
    return removed
