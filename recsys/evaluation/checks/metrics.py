"""Are the metrics what their names say? Each on a few users worked out by hand, before any number is believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.beyond import About
from recsys.evaluation.checks.check import Check
from recsys.evaluation.metrics import metric

_NAME = "metrics as defined"
_Cases = Mapping[str, Mapping[int, float | tuple[float, ...]]]  # metric -> k -> the answers

# Four lists of five, best first, and how many items each user has to find. The fourth has more than fit the list.
_HITS = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=bool)
_RELEVANT = np.array([2, 4, 3, 10])

# By hand. ndcg@3 of the first: (1 + 1/log2(4)) / (1 + 1/log2(3)) = 1.5 / 1.63093; of the second: (1/log2(3)) / (1 +
# 1/log2(3) + 1/log2(4)) = 0.63093 / 2.13093; ndcg@5 of the second: (1/log2(3) + 1/log2(6)) / (2.13093 + 1/log2(5)) =
# 1.01778 / 2.56161. map@3 of the first: (1/1 + 2/3) / 2; map@5 of the second: (1/2 + 2/5) / 4.
_ANSWERS: _Cases = {
    "recall": {3: (1.0, 0.25, 0.0, 0.3), 5: (1.0, 0.5, 0.0, 0.5)},
    "recall_capped": {3: (1.0, 1 / 3, 0.0, 1.0), 5: (1.0, 0.5, 0.0, 1.0)},
    "precision": {3: (2 / 3, 1 / 3, 0.0, 1.0), 5: (0.4, 0.4, 0.0, 1.0)},
    "ndcg": {3: (0.9197207891, 0.2960819109, 0.0, 1.0), 5: (0.9197207891, 0.3973220070, 0.0, 1.0)},
    "map": {3: (5 / 6, 0.125, 0.0, 0.3), 5: (5 / 6, 0.225, 0.0, 0.5)},
    "mrr": {3: (1.0, 0.5, 0.0, 1.0), 5: (1.0, 0.5, 0.0, 1.0)},
    "hit_rate": {3: (1.0, 1.0, 0.0, 1.0), 5: (1.0, 1.0, 0.0, 1.0)},
}

# Four people to train on and four items, of which nobody took the last: the first is all of one genre, the second half
# and half, the third all of the other. Three people are asked, each with a history of one item; the last list has one.
_TRAIN = csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]], dtype=np.float32))
_GENRES = csr_matrix(np.array([[1, 0], [0.5, 0.5], [0, 1], [0, 0]]))
_LISTS = np.array([[1, 2], [0, 1], [1, -1]], dtype=np.int32)
_GIVEN = csr_matrix(np.array([[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.float32))

# By hand: the items were taken by 4, 2, 1 and 0 of four. Diversity of the second list: 1 - 2 / sqrt(4 x 2). Calibration
# of the first: the history is all of genre 0, the list a quarter, ln 1 / (.99 x .25 + .01); nothing common: ln 1 / .01.
_OF_LISTS: _Cases = {
    "novelty": {1: (1.0, 0.0, 1.0), 2: (1.5, 0.5, 1.0)},
    "diversity": {1: (np.nan, np.nan, np.nan), 2: (1.0, 0.2928932188, np.nan)},
    "popularity_lift": {1: (-0.5, 3.0, -0.5), 2: (-0.625, 2.0, -0.5)},
    "calibration": {1: (0.6831968497, 4.6051701860, 0.6831968497), 2: (1.3567355589, 1.3567355589, 0.6831968497)},
}
# In how many lists the three items are: 1, 2, 0 of the first places, 1, 3, 1 of all.
_OF_ALL: _Cases = {"coverage": {1: 2 / 3, 2: 1.0}, "gini": {1: 2 / 3, 2: 0.4}}


def check_metrics(names: Iterable[str]) -> list[Check]:
    """One check: every metric gives the answers above, and those of hits look exactly as deep as their names say.

    It fails by name for a function that was swapped or altered.
    """
    asked = list(dict.fromkeys(names))
    wrong = [name for name in asked if not (_as_by_hand(name) and _as_deep_as_it_says(name))]
    if wrong:
        return [Check(_NAME, "fail", f"{', '.join(wrong)}: not the answers worked out by hand")]
    return [Check(_NAME, "ok", f"{', '.join(asked)}: the answers worked out by hand come out")]


def _as_by_hand(name: str) -> bool:
    """At both lengths of the cases, for whatever length is asked. A metric without a case is not as by hand."""
    family = name.partition("@")[0]
    about = About(_TRAIN, np.array([4, 2, 1, 0]), _GENRES)
    cases = {**_ANSWERS, **_OF_LISTS, **_OF_ALL}.get(family, {})
    return bool(cases) and all(
        np.allclose(_worked_out(f"{family}@{k}", about), answer, rtol=0, atol=1e-9, equal_nan=True)
        for k, answer in cases.items()
    )


def _worked_out(name: str, about: About) -> np.ndarray | float:
    one = metric(name)
    if one.known.kind == "hits":
        return one(_HITS, _RELEVANT)
    if one.known.kind == "list":
        return one.of_lists(_LISTS, _GIVEN, about)
    return one.of_all(_LISTS, about, 0).mean


def _as_deep_as_it_says(name: str) -> bool:
    """A hit at the last rank counts, one below it does not; without @k the mrr looks 1000 deep."""
    if not metric(name).accuracy:
        return True  # both lengths of the cases tell
    k = int(name.partition("@")[2] or 1000)
    hits = np.zeros((2, k + 1), dtype=bool)
    hits[0, k - 1] = hits[1, k] = True
    at, below = metric(name)(hits, np.ones(2, dtype=np.int64))
    return bool(at > 0 and below == 0)
