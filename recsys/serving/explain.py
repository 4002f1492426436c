"""Why an item is in somebody's list: the items of their own history that carry it, and those it could not be without.

Both are exact: what a model would answer if a part of the history had never happened is asked of the model itself.
Whose history it is sees nothing of anybody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.serving.assortment import Assortment
from recsys.serving.bundle import ModelBundle
from recsys.serving.counterfactual import Ranking, smallest_sets
from recsys.serving.left_out import LeftOut
from recsys.serving.profile import Profile

NAMED = 3  # items of the history that are named as reasons
_ROUNDING = 1e-6  # standard deviations: what float32 scores may differ by without a reason


@dataclass(frozen=True, slots=True)
class Because:
    """An item of the history that carries a recommended one. share: of all that carries it, above 0, at most 1."""

    item: str
    share: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """because: the strongest first, none where nothing in the history raises the item. needed: see ``explained``."""

    because: tuple[Because, ...]
    needed: tuple[str, ...] | None


def explained(
    bundle: ModelBundle,
    profile: Profile,
    columns: Sequence[int] | np.ndarray,
    blocked: np.ndarray,
    depth: int,
    raised: np.ndarray | None = None,
    most: int = NAMED,
) -> list[Explanation]:
    """Why each of these columns is among the first ``depth`` of a list by score. One schema for every model.

    blocked: (n_items,) bool, columns that may not come. raised: (n_items,) what rules add to the scores, in standard
    deviations of them; None: nothing. most: how many items of the history are named. Of a history longer than
    `recsys.serving.left_out.TRIED` only the latest entries are tried, where nothing says when, the strongest.

    because: an item's drop is its standing with the whole history less its standing without one entry; a share is a
    drop over the sum of all drops above 0. Standing is the score less the mean of the row, in standard deviations of
    the row. Raw scores are not comparable between two histories: those of a multinomial network are free up to a
    constant a row, a blend divides by the row's deviation, and with a shorter history all scores of ALS are smaller.
    None of that moves the list, so none of it may count as a reason. A place in the list would be as safe, but most
    entries move no place. The score of nothing at all, where the only entry is left out, is the model's own.

    needed: the ids of past items without which the column would not be among the first ``depth``, the strongest
    first; they themselves stay blocked. None where no such set was found, or the column is not among them by score to
    begin with. See `recsys.serving.counterfactual.smallest_sets` for what is proven smallest.
    """
    wanted = np.asarray(columns, dtype=np.int64)
    if not len(wanted) or not profile.known:
        return [Explanation((), None) for _ in wanted]
    left_out = LeftOut(bundle.model, profile)
    ranking = Ranking(left_out, bundle.popularity, wanted, blocked, depth, raised)
    tried = left_out.tried()
    removed = np.zeros((len(tried) + 1, profile.row.nnz), dtype=bool)  # the first row is the whole history
    removed[np.arange(1, len(removed)), tried] = True
    standing = np.empty((len(removed), len(wanted)))
    out = np.empty(standing.shape, dtype=bool)
    for some, scores in left_out.batches(removed):
        standing[some] = _standing(scores, wanted)
        out[some] = ranking.out(scores, removed[some])
    drops = standing[0] - standing[1:]
    ids = bundle.items.ids[profile.row.indices]
    sets = smallest_sets(ranking, tried, drops, out)
    return [
        Explanation(_because(ids[tried], drops[:, k], most), None if some is None else tuple(ids[some].tolist()))
        for k, some in enumerate(sets)
    ]


def alike(assortment: Assortment, a: str, b: str) -> tuple[str, ...]:
    """The names of the categories that two items share, in order; none of an item that is not held."""
    of_a, of_b = (article.categories if article else () for article in map(assortment.find, (a, b)))
    return tuple(sorted({*of_a} & {*of_b}))


def _standing(scores: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(rows, columns) float64 of (rows, n_items) scores; 0 in a row of equal scores."""
    mean = scores.mean(axis=1, dtype=np.float64, keepdims=True)
    deviation = scores.std(axis=1, dtype=np.float64, keepdims=True)
    return (scores[:, columns] - mean) / np.where(deviation > 0, deviation, 1.0)


def _because(ids: np.ndarray, drops: np.ndarray, most: int) -> tuple[Because, ...]:
    carrying = np.where(drops > _ROUNDING, drops, 0.0)
    order = np.argsort(-carrying, kind="stable")[:most]
    return tuple(Because(ids[k], float(carrying[k] / carrying.sum())) for k in order.tolist() if carrying[k])
