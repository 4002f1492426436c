"""Made-up profiles that push items: the attacks of the literature, as sets of items.

Lam and Riedl, "Shilling Recommender Systems for Fun and Profit" (2004), and Mobasher et al., "Toward Trustworthy
Recommender Systems" (2007), attack ratings; an interaction without a rating can only be there or not.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError, SettingError

KINDS = {
    "random": "filler items uniformly at random",
    "average": "filler items as often as genuine people take them: what rating every item its average becomes where "
    "there are no ratings",
    "bandwagon": "the five most popular items and filler uniformly at random",
    "copied": "filler drawn from the history of one genuine person, another for each profile",
}
_BANDWAGON = 5


def profiles(
    kind: str, rows: csr_matrix, count: int, size: int, targets: np.ndarray, rng: np.random.Generator
) -> csr_matrix:
    """(count, n_items) CSR of ones: profiles of ``size`` items each, all ``targets`` among them and never as filler.

    rows: the genuine people's. Raises SettingError for an unknown kind, DataError where items or people do not suffice.
    """
    if kind not in KINDS:
        raise SettingError(f"no attack is called '{kind}'", do=f"use one of: {', '.join(KINDS)}")
    popularity = np.bincount(rows.indices, minlength=rows.shape[1]).astype(np.float64)
    wanted = size - len(targets)
    free = np.ones(rows.shape[1], dtype=bool)
    free[targets] = False
    popular = np.argsort(-np.where(free, popularity, -1), kind="stable")[: _BANDWAGON if kind == "bandwagon" else 0]
    free[popular] = False
    fillers = wanted - len(popular)
    if fillers < 1:
        raise DataError(f"a profile of {size} items has no room for filler beside {len(targets)} targets")
    if kind == "copied":
        held = np.diff(rows[:, np.flatnonzero(free)].indptr)
        able = np.flatnonzero(held >= fillers)
        if not len(able):
            raise DataError(f"nobody has the {fillers} items that a copied profile takes", do="ask for smaller ones")
        copied = rng.choice(able, count, replace=count > len(able))
        odds = np.where(free, rows[copied].toarray() > 0, False).astype(np.float64)
    else:
        weight = popularity if kind == "average" else np.ones_like(popularity)
        odds = np.broadcast_to(np.where(free, weight, 0.0), (count, rows.shape[1]))
    if ((odds > 0).sum(axis=1) < fillers).any():
        raise DataError(f"the catalogue has too few items for {fillers} of filler", do="ask for smaller profiles")
    with np.errstate(divide="ignore"):
        keys = np.log(odds) + rng.gumbel(size=odds.shape)  # the k largest are k draws without replacement
    filler = np.argpartition(-keys, fillers - 1, axis=1)[:, :fillers]
    fixed = np.broadcast_to(np.concatenate([popular, targets]), (count, len(popular) + len(targets)))
    columns = np.sort(np.concatenate([filler, fixed], axis=1), axis=1)
    indptr = np.arange(0, count * size + 1, size)
    return csr_matrix((np.ones(count * size, dtype=np.float32), columns.ravel(), indptr), shape=(count, rows.shape[1]))


def unpopular(rows: csr_matrix, count: int, rng: np.random.Generator, fewest: int = 3, most: int = 20) -> np.ndarray:
    """(count,) items that ``fewest`` to ``most`` people have, at random. DataError where there are not so many."""
    popularity = np.bincount(rows.indices, minlength=rows.shape[1])
    able = np.flatnonzero((popularity >= fewest) & (popularity <= most))
    if len(able) < count:
        raise DataError(f"{len(able)} items are taken by {fewest} to {most} people, {count} are wanted as targets")
    return np.sort(rng.choice(able, count, replace=False))
