"""When the entries of a matrix last occurred, in microseconds, and what follows for a split."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import events_of, latest_of
from recsys.errors import DataError
from recsys.interactions import NO_TIME, Interactions
from recsys.matrix import InteractionMatrix


def times_of(interactions: Interactions, data: InteractionMatrix) -> np.ndarray | None:
    """(nnz,) int64 microseconds: when each entry of ``data.matrix`` last occurred, NO_TIME where that is unknown.

    None where nothing has a time.
    """
    if interactions.span() is None:
        return None
    return latest_of(interactions.time, events_of(interactions, data), data.matrix.nnz, NO_TIME)


def latest_of_rows(matrix: csr_matrix, times: np.ndarray | None) -> np.ndarray | None:
    """(n rows,) the latest time of each row, NO_TIME for none. times: (nnz,); None for None."""
    if times is None:
        return None
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return latest_of(times, row, matrix.shape[0], NO_TIME)


def latest(times: np.ndarray | None) -> int | None:
    """The latest of some times, None where nothing has one."""
    if times is None or not len(times) or times.max() == NO_TIME:
        return None
    return int(times.max())


def span_of(*parts: Interactions) -> list[int] | None:
    """[earliest, latest] time of anything in the parts, microseconds; None when nothing has a time."""
    spans = [span for part in parts if (span := part.span()) is not None]
    return [min(first for first, _ in spans), max(last for _, last in spans)] if spans else None


def with_times(interactions: Interactions) -> Interactions:
    """Those that have a time. DataError when none has."""
    known = interactions.time != NO_TIME
    if not known.any():
        raise _timeless()
    return interactions if known.all() else interactions.take(known)


def from_which(times: np.ndarray | None, share: float) -> int:
    """The latest moment from which on at least that share of the times lies, and one of them. DataError for None."""
    if times is None:
        raise _timeless()
    return int(np.sort(times)[-max(1, round(len(times) * share))])


def _timeless() -> DataError:
    return DataError("no interaction has a time, so nothing is before or after", do="use the protocol strong")
