"""item_maps: the items of a catalogue as points of a picture, as each model's item vectors place them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.statistics import intervals
from recsys.matrix import Index

FEWEST = 30  # items with a category; fewer make no picture
NEIGHBOURS = 10
_COLOURS = 7  # categories named in the picture; more colours cannot be told apart
_OTHER = "other"


def item_maps(
    spaces: Mapping[str, np.ndarray],
    items: Index,
    popularity: np.ndarray,
    catalogue: Catalogue,
    seed: int,
    most: int = 1500,
) -> dict[str, Any] | None:
    """The report's "maps": where each model puts the ``most`` most popular items that have a category.

    spaces: name -> (n_items, width) vectors whose cosine says how alike two items are. popularity: (n_items,), larger
    is more popular. Each space gets a PCA and, where scikit-learn is installed, a t-SNE: both of vectors of length 1,
    each in n rows of [x, y]. agreement: the mean share of an item's nearest items, by cosine in the whole space, with
    which it has a category in common, with a 95% interval over items; chance: that share of all other items. None where
    fewer than ``FEWEST`` items have a category.
    """
    shares, names = catalogue.category_matrix(items)
    able = np.flatnonzero(np.diff(shares.indptr))
    if len(able) < FEWEST or not spaces:
        return None
    shown = able[np.argsort(-popularity[able], kind="stable")[:most]]
    ids = items.ids[shown].tolist()
    colour, colours = _coloured([[names[k] for k in row.indices] for row in shares[shown]])
    alike = _in_common(shares[shown])
    near = min(NEIGHBOURS, len(shown) - 1)
    return {
        "about": _about(len(shown), len(able), len(items), near, colours),
        "items": [
            {"item": item, "title": catalogue.title(item), "category": category}
            for item, category in zip(ids, colour, strict=True)
        ],
        "categories": colours,
        "spaces": {name: _space(vectors[shown], alike, near, seed) for name, vectors in spaces.items()},
        "chance": float((alike.sum() - len(shown)) / (len(shown) * (len(shown) - 1))),
    }


def _space(vectors: np.ndarray, alike: np.ndarray, near: int, seed: int) -> dict[str, Any]:
    """One model's part: its pictures, and how well its neighbourhoods agree with the categories."""
    units = _unit(vectors)
    points, explained = _pca(units)
    nearest = _nearest(units, near)
    agreement = intervals(np.take_along_axis(alike, nearest, axis=1).mean(axis=1)[:, None], seed)[0]
    return {
        "pca": points,
        "explained": explained,
        "tsne": _tsne(units, points, seed),
        "agreement": {"mean": agreement.mean, "low": agreement.low, "high": agreement.high},
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Each row divided by its length, float64; a row of zeros stays."""
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _pca(units: np.ndarray) -> tuple[list[list[float]], list[float]]:
    """The (n, 2) places along the two directions of most variance, and the share of the variance each explains.

    The largest entry of each direction is positive, so that one space always gives one picture.
    """
    centred = units - units.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    values, directions = values[::-1].clip(min=0), directions[:, ::-1]
    first = np.zeros((len(directions), 2))
    first[:, : directions.shape[1]] = directions[:, :2]
    largest = np.abs(first).argmax(axis=0)
    first *= np.where(first[largest, [0, 1]] < 0, -1, 1)
    explained = np.zeros(2)
    explained[: len(values)] = (values / max(float(values.sum()), np.finfo(float).tiny))[:2]
    return _rounded(centred @ first), [round(float(share), 6) for share in explained]


def _tsne(units: np.ndarray, start: list[list[float]], seed: int) -> list[list[float]] | None:
    """t-SNE (van der Maaten and Hinton 2008) from the picture ``start``; None where scikit-learn is not installed.

    None, too, where all items are in one place. On one thread: with several, the order of its sums would be chance.
    """
    spread = float(np.std([x for x, _ in start]))
    if find_spec("sklearn") is None or not spread:
        return None
    from sklearn.manifold import TSNE  # type: ignore[import-untyped]  # 1 s, and only a report with a map needs it
    from threadpoolctl import threadpool_limits

    # Of unit vectors the squared distance is 2 - 2 cosine: the Euclidean picture is the cosine's.
    init = (np.array(start) / spread * 1e-4).astype(np.float32)
    method = TSNE(perplexity=min(30.0, (len(units) - 1) / 3), init=init, random_state=seed)
    with threadpool_limits(1):
        return _rounded(method.fit_transform(units))


def _nearest(units: np.ndarray, near: int) -> np.ndarray:
    """(n, near) numbers of the items of largest cosine, an item itself left out, ties by number."""
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :near]


def _in_common(shares: csr_matrix) -> np.ndarray:
    """(n, n) bool: have these two items a category in common?"""
    return (shares @ shares.T).toarray() > 0


def _coloured(categories: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Each item's category for the picture, and those named, the most frequent first, "other" last if there is any.

    The rarest of the item's categories among the most frequent ones: what most items are (a drama, a comedy) says
    little of an item that is also something else.
    """
    counts = Counter(name for one in categories for name in one)
    frequent = sorted(counts, key=lambda name: (-counts[name], name))[:_COLOURS]
    rank = {name: place for place, name in enumerate(frequent)}
    chosen = [max((name for name in one if name in rank), key=rank.__getitem__, default=_OTHER) for one in categories]
    used = set(chosen)
    return chosen, [name for name in frequent if name in used and name != _OTHER] + [_OTHER] * (_OTHER in used)


def _about(shown: int, able: int, n_items: int, near: int, colours: Sequence[str]) -> str:
    which = f"the {shown:,} most popular of {able:,} items" if shown < able else f"all {able:,} items"
    other = " An item with none of these is other." if _OTHER in colours else ""
    named = [name for name in colours if name != _OTHER]
    such = f" (what is {named[0]} and {named[1]} is shown as {named[1]})" if len(named) > 1 else ""
    return (
        f"Each point is an item: {which} with a category, of {n_items:,} in the catalogue. Items that a model takes to "
        "be alike (by the cosine of their vectors) lie near each other. The colour is the rarest of the item's "
        f"categories among the {_COLOURS} most frequent{such}, for the commonest say the least.{other} Agreement is "
        f"the mean share of an item's {near} nearest items, in the whole space and not in the picture, that have a "
        "category in common with it; chance is that share among all other items. No model was told the categories."
    )


def _rounded(points: np.ndarray) -> list[list[float]]:
    """Four decimals: finer than any screen, and the page stays small."""
    return [[round(float(x), 4), round(float(y), 4)] for x, y in points]
