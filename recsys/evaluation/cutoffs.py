"""cutoffs: recall and ndcg as the list grows longer, from the lists that an evaluation kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from recsys.evaluation.evaluate import PerUser, hits_of
from recsys.evaluation.metrics import metric
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import intervals

CUTOFFS = (1, 5, 10, 20, 50, 100)


def cutoffs(
    splits: Sequence[Split], results: Sequence[PerUser], seed: int, groups: np.ndarray | None
) -> dict[str, dict[str, Any]]:
    """{"recall": {"1": {mean, low, high}, ...}, "ndcg": {...}} of one model; results: one a split.

    Lengths that no list reaches are left out. groups: as in `recsys.evaluation.statistics.intervals`.
    """
    lengths = [k for k in CUTOFFS if k <= max(result.lists.shape[1] for result in results)]
    names = [f"{name}@{k}" for name in ("recall", "ndcg") for k in lengths]
    rows = []
    for split, result in zip(splits, results, strict=True):
        hits, relevant = hits_of(result.lists, split.hidden), np.diff(split.hidden.indptr)
        rows.append(np.column_stack([metric(name)(hits, relevant) for name in names]))
    found = dict(zip(names, intervals(np.concatenate(rows), seed, groups=groups), strict=True))
    return {name: {str(k): asdict(found[f"{name}@{k}"]) for k in lengths} for name in ("recall", "ndcg")}
