"""Re-ranking: a list by score made less alike in itself, closer to the history's mix of categories, or both."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.sparse import csr_matrix, diags_array

WINDOW = 500  # what is further down keeps its place by score
REACH = 0.99  # the share of cosines below what counts as alike
SMOOTHING = 0.01  # Steck's alpha
_BLOCK = 50  # rows of similarity worked out together; fixed, so that a deeper list does not round otherwise


def reranked(
    columns: np.ndarray,
    scores: np.ndarray,
    depth: int,
    *,
    diversity: float = 0.0,
    calibration: float = 0.0,
    vectors: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    categories: csr_matrix | None = None,
    wanted: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The first ``depth`` of a list in a new order, with the scores they came with.

    columns: (k,) int32, best first; scores: (k,) finite. Give the WINDOW best at least, or all there are, whatever the
    depth: then a list of depth d is the beginning of that of depth d + 1. One after the other the candidate i is taken
    that maximises

        (1 - c) * ((1 - d) * s_i - d * max over j taken of cos(i, j) / reach) - c * KL(p || q~ with i)

    d is diversity (Carbonell and Goldstein 1998, maximal marginal relevance), c is calibration (Steck 2018, "Calibrated
    recommendations", equation 7), both 0 to 1; ties go to the better score. s: the scores, 0 to 1 within the window.
    cos: of item vectors, (n_items, width), with their lengths, (n_items,); without vectors, of the items' sets of
    categories, (n_items, n_categories) CSR of ones. reach: the 99th percentile of the cosines of the best 50 with all
    others of the window, so that the dial means alike for models whose items lie close and for those whose lie apart;
    1 where it is not above 0. p: ``wanted``, (n_categories,), the history's shares of categories,
    which sum to 1 or are all 0; q~: the list's, smoothed as Steck's equation 6. An item divides 1 equally among its
    categories, and one without any changes nothing in q. A term for which nothing is known is left out: diversity
    without vectors and categories, calibration without categories or anything wanted.
    """
    known = categories is not None and categories.nnz
    if not (known and wanted is not None and wanted.any()):
        calibration = 0.0
    if vectors is None and not known:
        diversity = 0.0
    size = min(len(columns), WINDOW)
    if size < 2 or not (diversity or calibration):
        return columns[:depth], scores[:depth]
    window = columns[:size]
    value = (1 - calibration) * (1 - diversity) * _scaled(scores[:size])
    similar = _similarity(window, vectors, lengths, categories) if diversity else None
    mix = None if categories is None or wanted is None or not calibration else _Mix(categories[window], wanted)
    order = _greedy(value, (1 - calibration) * diversity, similar, calibration, mix, min(depth, size))
    return np.r_[window[order], columns[size:depth]], np.r_[scores[order], scores[size:depth]]


def _greedy(
    value: np.ndarray,
    alike: float,
    similar: Callable[[int], np.ndarray] | None,
    unlike: float,
    mix: _Mix | None,
    count: int,
) -> np.ndarray:
    """(count,) places in the window. alike, unlike: weights of the greatest similarity and of the divergence."""
    order = np.empty(count, dtype=np.int64)
    nearest = np.full(len(value), -np.inf)
    left = value.copy()  # -inf for what is taken
    for rank in range(count):
        gain = left if rank == 0 or similar is None else left - alike * nearest
        if mix is not None:
            gain = gain - unlike * mix.divergence()
        best = order[rank] = int(gain.argmax())
        left[best] = -np.inf
        if similar is not None:
            np.maximum(nearest, similar(best), out=nearest)
        if mix is not None:
            mix.add(best)
    return order


class _Mix:
    """The list's categories as it grows, and how far each candidate would leave them from those wanted.

    Only categories of the history count in KL(p || q~), and a candidate changes only those that it has; all others are
    thinned alike. So a step costs what the window has of entries, not the window times the categories.
    """

    def __init__(self, rows: csr_matrix, wanted: np.ndarray) -> None:
        self._known = np.diff(rows.indptr) > 0
        share = np.repeat(1 / np.maximum(np.diff(rows.indptr), 1), np.diff(rows.indptr))
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        kept = wanted[rows.indices] > 0
        asked = np.flatnonzero(wanted > 0)
        self._p = wanted[asked].astype(np.float64)
        self._row, self._share = row[kept], share[kept]
        self._column = np.searchsorted(asked, rows.indices[kept])
        self._ends = np.searchsorted(self._row, np.arange(rows.shape[0] + 1))
        self._weight = self._p[self._column]
        self._room = np.empty(len(self._row))
        self._some_without = not self._known.all()
        self._least = SMOOTHING * self._p
        self._entropy = float(self._p @ np.log(self._p))
        self._sum = np.zeros(len(asked))  # of the shares of what is taken
        self._taken = 0  # of those with categories

    def divergence(self) -> np.ndarray:
        """(size,) KL(p || q~) of the list with each candidate added. A list without categories: -ln alpha."""
        scale = (1 - SMOOTHING) / (self._taken + 1)
        thinned = scale * self._sum + self._least
        more = self._room
        (scale / thinned).take(self._column, out=more, mode="clip")  # the one mode that copies nothing
        more *= self._share
        more += 1
        np.log(more, out=more)
        more *= self._weight
        found = self._entropy - self._p @ np.log(thinned) - np.bincount(self._row, more, minlength=len(self._known))
        if self._some_without:
            now = self._sum * ((1 - SMOOTHING) / max(self._taken, 1)) + self._least
            found[~self._known] = self._entropy - self._p @ np.log(now)
        return found

    def add(self, place: int) -> None:
        some = slice(self._ends[place], self._ends[place + 1])
        self._sum[self._column[some]] += self._share[some]
        self._taken += int(self._known[place])


def _scaled(scores: np.ndarray) -> np.ndarray:
    """(size,) float64, 0 to 1; all alike: 0."""
    high, low = float(scores[0]), float(scores[-1])
    return (scores.astype(np.float64) - low) / ((high - low) or 1.0)


def _similarity(
    window: np.ndarray, vectors: np.ndarray | None, lengths: np.ndarray | None, categories: csr_matrix | None
) -> Callable[[int], np.ndarray]:
    """place -> (size,) its cosines with the window, by their reach; 0 for vectors of length 0. Lazy."""
    if vectors is not None:
        rows = vectors[window]
        length = np.linalg.norm(rows, axis=1) if lengths is None else lengths[window]
        unit = rows / np.where(length > 0, length, 1)[:, None].astype(np.float32)
    else:
        rows = categories[window]  # type: ignore[index]  # one of both is known
        unit = diags_array(1 / np.sqrt(np.maximum(np.diff(rows.indptr), 1))).tocsr() @ rows
    turned = unit.T

    @cache
    def block(number: int) -> np.ndarray:
        product = unit[number * _BLOCK : (number + 1) * _BLOCK] @ turned
        return product if vectors is not None else product.toarray()

    best = block(0)
    reach = float(np.quantile(best[np.eye(*best.shape) == 0], REACH))
    return lambda place: block(place // _BLOCK)[place % _BLOCK] / (reach if reach > 0 else 1.0)
