"""Likeness: whether a model knows what is taken together, asked with histories of a single item."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.gate.measured import Scorer, short
from recsys.gate.trial import Trial
from recsys.recommender import top_n

PROBES = 100  # items, dealt evenly over the head: of the most taken alone, popularity knows as much


def likeness(scorer: Scorer, trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """(probes,) for the lists of the model and (probes,) for those of popularity: how much is taken with the probe.

    A probe is an item of the head that the model knows; its value the mean cosine of its takers and those of the items
    listed for who took it alone: training users who took both / sqrt(of one x of the other).
    """
    n_items = len(trial.items)
    falling = np.argsort(-trial.taken, kind="stable")
    able = falling[((scorer.columns >= 0) & ~trial.tail & (trial.taken > 0))[falling]]
    probes = able[np.linspace(0, len(able) - 1, min(PROBES, len(able))).astype(int)]
    if not len(probes):
        return np.empty(0), np.empty(0)
    strength = np.full(len(probes), np.median(trial.train.data), dtype=np.float32)
    rows = csr_matrix((strength, probes, np.arange(len(probes) + 1)), shape=(len(probes), n_items))
    k = short(n_items)
    listed = top_n(scorer(rows, None), rows, k)[0]
    usual = top_n(np.tile(trial.taken.astype(np.float32), (len(probes), 1)), rows, k)[0]
    by_item = trial.train.tocsc()
    found = np.empty((2, len(probes)))
    for at, probe in enumerate(probes):
        takers = by_item.indices[by_item.indptr[probe] : by_item.indptr[probe + 1]]
        together = np.bincount(trial.train[takers].indices, minlength=n_items)
        cosine = together / np.sqrt(np.maximum(trial.taken, 1) * trial.taken[probe])
        for which, items in enumerate((listed[at], usual[at])):
            found[which, at] = cosine[items[items >= 0]].sum() / k
    return found[0], found[1]
