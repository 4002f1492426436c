"""Stock: whether the items of a bundle are tonight's, by what it says of them itself."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from recsys.gate.figures import Figure, value
from recsys.gate.trial import Trial
from recsys.serving.bundle import ModelBundle

LEAST_LEARNT = 0.5  # of tonight's interactions
LEAST_KNOWN = 0.9  # of tonight's items, and of its own
LEAST_AGREEMENT = 0.5  # rank correlation of what it holds to be popular with what is


def misshapen(bundle: ModelBundle) -> list[str]:
    """What is wrong with a bundle before it is asked anything. A saved bundle is refused for it when it is loaded."""
    ids, distinct = len(bundle.items), len(bundle.items.by_id)
    if not ids:
        return ["it holds no items"]
    if distinct < ids:
        return [f"{ids - distinct:,} of its {ids:,} item ids are duplicates"]
    if bundle.popularity.shape != (ids,):
        return [f"its sizes do not fit: {bundle.popularity.shape} counts of popularity for {ids:,} items"]
    return []


def stock(bundle: ModelBundle, trial: Trial) -> list[Figure]:
    """Of a bundle that is not misshapen: how much it learnt, how many items it knows, and whether they are in place."""
    columns, counts = bundle.items.find(trial.items.ids.tolist()), bundle.popularity.astype(np.float64)
    there = trial.taken > 0
    both = there & (columns >= 0)
    mine, tonight = counts[columns[both]], trial.taken[both]
    learnt, known = counts.sum() / max(trial.taken.sum(), 1), both.sum() / max(there.sum(), 1)
    own = (columns >= 0).sum() / len(bundle.items)
    told = len(np.unique(mine)) > 1 and len(np.unique(tonight)) > 1
    agreement = float(spearmanr(mine, tonight).statistic) if told else 1.0
    volume = (
        f"it has learnt from {counts.sum():,.0f} interactions, of at most {counts.max():,.0f} people an item; tonight "
        f"has {trial.taken.sum():,} of at most {trial.taken.max():,}, and {LEAST_LEARNT:.0%} of them are wanted"
    )
    share = f"it knows {known:.1%} of tonight's {there.sum():,} items, {LEAST_KNOWN:.0%} wanted"
    strange = f"tonight's data has {own:.1%} of its {len(bundle.items):,} items, {LEAST_KNOWN:.0%} wanted"
    place = (
        f"what it holds to be popular agrees with tonight's counts at rank correlation {agreement:.2f} over "
        f"{both.sum():,} items, {LEAST_AGREEMENT} wanted"
    )
    index = "its item index is permuted, or of other data"
    return [
        value("volume", learnt, LEAST_LEARNT, learnt >= LEAST_LEARNT, "it learnt from too little", volume),
        value("items known", known, LEAST_KNOWN, known >= LEAST_KNOWN, "it covers too few items", share),
        value("own items", own, LEAST_KNOWN, own >= LEAST_KNOWN, "it holds items there are not", strange),
        value("items in place", agreement, LEAST_AGREEMENT, agreement >= LEAST_AGREEMENT, index, place),
    ]
