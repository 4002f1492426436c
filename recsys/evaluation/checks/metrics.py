"""Are the metrics what their names say? Each on four users worked out by hand, before any number is believed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recsys.evaluation.checks.check import Check
from recsys.evaluation.metrics import metric

_NAME = "metrics as defined"

# Four lists of five, best first, and how many items each user has to find. The fourth has more than fit the list.
_HITS = np.array([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=bool)
_RELEVANT = np.array([2, 4, 3, 10])

# By hand. ndcg@3 of the first: (1 + 1/log2(4)) / (1 + 1/log2(3)) = 1.5 / 1.63093; of the second: (1/log2(3)) / (1 +
# 1/log2(3) + 1/log2(4)) = 0.63093 / 2.13093; ndcg@5 of the second: (1/log2(3) + 1/log2(6)) / (2.13093 + 1/log2(5)) =
# 1.01778 / 2.56161. map@3 of the first: (1/1 + 2/3) / 2; map@5 of the second: (1/2 + 2/5) / 4.
_ANSWERS = {
    "recall": {3: (1.0, 0.25, 0.0, 0.3), 5: (1.0, 0.5, 0.0, 0.5)},
    "recall_capped": {3: (1.0, 1 / 3, 0.0, 1.0), 5: (1.0, 0.5, 0.0, 1.0)},
    "precision": {3: (2 / 3, 1 / 3, 0.0, 1.0), 5: (0.4, 0.4, 0.0, 1.0)},
    "ndcg": {3: (0.9197207891, 0.2960819109, 0.0, 1.0), 5: (0.9197207891, 0.3973220070, 0.0, 1.0)},
    "map": {3: (5 / 6, 0.125, 0.0, 0.3), 5: (5 / 6, 0.225, 0.0, 0.5)},
    "mrr": {3: (1.0, 0.5, 0.0, 1.0), 5: (1.0, 0.5, 0.0, 1.0)},
    "hit_rate": {3: (1.0, 1.0, 0.0, 1.0), 5: (1.0, 1.0, 0.0, 1.0)},
}


def check_metrics(names: Iterable[str]) -> list[Check]:
    """One check: those that are of hits give the answers above, and look exactly as deep as their names say.

    It fails by name for a function that was swapped or altered. Metrics of the lists themselves have no case here.
    """
    asked = list(dict.fromkeys(names))
    covered = [name for name in asked if name.partition("@")[0] in _ANSWERS]
    wrong = [name for name in covered if not (_as_by_hand(name) and _as_deep_as_it_says(name))]
    if wrong:
        return [Check(_NAME, "fail", f"{', '.join(wrong)} differ from the answers worked out by hand")]
    others = [name for name in asked if name not in covered]
    detail = f"{', '.join(covered) or 'none'}: the answers worked out by hand come out"
    return [Check(_NAME, "ok", detail + (f"; no case by hand: {', '.join(others)}" if others else ""))]


def _as_by_hand(name: str) -> bool:
    """At both lengths of the cases, for whatever length is asked."""
    family = name.partition("@")[0]
    return all(
        np.allclose(metric(f"{family}@{k}")(_HITS, _RELEVANT), answer, rtol=0, atol=1e-9)
        for k, answer in _ANSWERS[family].items()
    )


def _as_deep_as_it_says(name: str) -> bool:
    """A hit at the last rank counts, one below it does not; without @k the mrr looks 1000 deep."""
    k = int(name.partition("@")[2] or 1000)
    hits = np.zeros((2, k + 1), dtype=bool)
    hits[0, k - 1] = hits[1, k] = True
    at, below = metric(name)(hits, np.ones(2, dtype=np.int64))
    return bool(at > 0 and below == 0)
