"""Latency: how much longer one version takes for one request than another, on a machine that does other things too."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from recsys.gate.measured import Scorer
from recsys.recency import of_rows
from recsys.recommender import Holdout

PEOPLE = 12
REPETITIONS = 9


def seconds(
    challenger: Scorer, champion: Scorer, people: Holdout, clock: Callable[[], float] = time.perf_counter
) -> tuple[np.ndarray, np.ndarray]:
    """(people asked,) seconds of the challenger and of the champion for one history: the least of nine repetitions.

    They take turns, so what else the machine does befalls both, and the least of many short runs is what it does not
    befall at all. The people are those of the middle: dealt evenly over the histories' lengths.
    """
    lengths = np.diff(people.given.indptr)
    rows = np.argsort(lengths, kind="stable")[np.linspace(0, len(lengths) - 1, min(PEOPLE, len(lengths))).astype(int)]
    found = np.full((2, len(rows)), np.inf)
    for at, row in enumerate(rows):
        some = np.array([row])
        history, order = people.given[some], of_rows(people.given, people.order, some)
        asked = [(one.bundle.model.score, one.mine(history, order)) for one in (challenger, champion)]
        for _ in range(REPETITIONS):
            for which, (score, mine) in enumerate(asked):
                found[which, at] = min(found[which, at], _spent(score, mine, clock))
    return found[0], found[1]


def _spent(score: Callable[[csr_matrix], np.ndarray], row: csr_matrix, clock: Callable[[], float]) -> float:
    started = clock()
    score(row)
    return clock() - started
