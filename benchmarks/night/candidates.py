"""Fifteen candidates that must not go live, each broken in one way, made of a good one and the data it learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack

from benchmarks.night.people import of_some
from recsys.evaluation.split import describe
from recsys.gate.columns import renumbered
from recsys.matrix import Index, InteractionMatrix
from recsys.models import create
from recsys.recommender import Holdout
from recsys.serving.bundle import ARRAYS, ModelBundle

LATEST, EARLIER = 1_700_000_000_000_000, 1_600_000_000_000_000  # where tonight's data ends, and where a stale one's


@dataclass(frozen=True)
class Sabotage:
    """A candidate: a bundle in memory, or the folder of one. cause: what the reason to refuse it must say."""

    name: str
    cause: str
    candidate: ModelBundle | Path


class Altered:
    """A fitted model whose scores are changed on their way out."""

    def __init__(self, model: Any, change: Callable[[Any, csr_matrix], np.ndarray]) -> None:
        self.model, self.change, self.config = model, change, model.config

    def score(self, rows: csr_matrix) -> np.ndarray:
        return self.change(self.model, rows)

    def item_vectors(self) -> np.ndarray | None:
        return None

    def state(self) -> dict[str, np.ndarray]:
        return self.model.state()


def facts(data: InteractionMatrix, until: int = LATEST) -> dict[str, Any]:
    """What a card says of the data."""
    return {"sha256": describe([data])["sha256"], "until": until}


def sabotaged(
    good: ModelBundle,
    train: InteractionMatrix,
    panel: InteractionMatrix,
    fit: Callable[[InteractionMatrix], ModelBundle],
    folder: Path,
) -> Iterator[Sabotage]:
    """Each in turn. fit: trains tonight's model on other data. Every card but the stale one's says tonight's data."""
    rng = np.random.default_rng(0)

    def lying(bundle: ModelBundle) -> ModelBundle:
        return replace(bundle, card={**bundle.card, "data": good.card["data"]})

    def with_state(change: Callable[[np.ndarray], np.ndarray]) -> ModelBundle:
        state = {key: change(array) for key, array in good.model.state().items()}
        return replace(good, model=create(good.name, **good.card["config"]).restore(state))

    def altered(change: Callable[[Any, csr_matrix], np.ndarray]) -> ModelBundle:
        return replace(good, model=Altered(good.model, change))

    n_items = len(good.items)
    yield Sabotage("NaN weights", "NaN", with_state(_holes))
    yield Sabotage("zeros", "same score|same list", with_state(_emptied))
    one_less = replace(good, items=Index(good.items.ids[1:], "item"), popularity=good.popularity[1:])
    yield Sabotage("wrong sizes", "cannot score: SettingError: rows of", one_less)
    yield Sabotage("shuffled labels", "labels were shuffled", lying(fit(_shuffled(train, rng))))
    mixed = rng.permutation(n_items)
    permuted = replace(good, items=Index(good.items.ids[mixed], "item"))
    yield Sabotage("permuted item index", "item index is permuted", permuted)
    permuted = replace(permuted, popularity=good.popularity[mixed])
    yield Sabotage("the same, popularity too", "item index permuted", permuted)
    usual = good.popularity / good.popularity.max()
    collapsed = altered(lambda model, rows: usual + 1e-4 * model.score(rows))
    yield Sabotage("popularity collapse", "popularity collapse", collapsed)
    never = rng.permutation(n_items)[: n_items // 2]
    yield Sabotage("coverage halved", "coverage", altered(lambda model, rows: _lowered(model.score(rows), never)))
    known = np.sort(rng.permutation(n_items)[: n_items // 2])
    half = replace(train, matrix=train.matrix[:, known], items=Index(train.items.ids[known], "item"), order=None)
    yield Sabotage("knows half the items", "covers too few items", lying(fit(half)))
    old = _earlier(train)
    stale = fit(old)
    honest_card = {**stale.card, "data": facts(old, EARLIER)}
    yield Sabotage("stale snapshot", "stale: its data ends on", replace(stale, card=honest_card))
    yield Sabotage("leaked test, lying card", "has learnt the hidden interactions", lying(fit(_joined(train, panel))))
    empty = replace(good, items=Index.of([], "item"), popularity=good.popularity[:0])
    yield Sabotage("empty", "holds no items", empty)
    one = of_some(train, train.order, np.array([int(np.diff(train.matrix.indptr).argmax())]))
    yield Sabotage("one user", "learnt from too little", lying(fit(one)))
    twice = good.items.ids.copy()
    twice[1::2] = twice[: len(twice) // 2 * 2 : 2]
    yield Sabotage(
        "duplicated items", "repeat|duplicates", _saved(replace(good, items=Index(twice, "item")), folder, "a")
    )
    cut = _saved(good, folder, "truncated")
    _rewritten(cut, lambda data: data[: len(data) // 2])
    yield Sabotage("truncated file", "bytes, the manifest says", cut)
    other = _saved(good, folder, "hash")
    _rewritten(other, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    yield Sabotage("wrong hash", "sha256 is not the one in the manifest", other)
    yield Sabotage("ten times slower", "latency", altered(_tenth))


def _holes(array: np.ndarray) -> np.ndarray:
    found = array.copy()
    if found.dtype.kind == "f":
        found.ravel()[:: max(found.size // 50, 1)] = np.nan
    return found


def _emptied(array: np.ndarray) -> np.ndarray:
    """Tables and biases of nothing but zeros; single numbers, such as ALS's regularization, stay."""
    return np.zeros_like(array) if array.size > 1 and array.dtype.kind == "f" else array


def _lowered(scores: np.ndarray, columns: np.ndarray) -> np.ndarray:
    found = scores.copy()
    found[:, columns] = scores.min() - 1
    return found


def _tenth(model: Any, rows: csr_matrix) -> np.ndarray:
    for _ in range(9):
        model.score(rows)
    return model.score(rows)


def _shuffled(train: InteractionMatrix, rng: np.random.Generator) -> InteractionMatrix:
    """As many interactions a person and an item, but anybody's."""
    entries = train.matrix.tocoo()
    matrix = csr_matrix((entries.data, (entries.row, rng.permutation(entries.col))), shape=train.matrix.shape)
    matrix.data[:] = entries.data[: matrix.nnz]
    return replace(train, matrix=matrix, order=None)


def _earlier(train: InteractionMatrix) -> InteractionMatrix:
    """The earlier half of every history."""
    given = Holdout.of(train.matrix, 0.5, np.random.default_rng(0), train.order).given
    return of_some(replace(train, matrix=given), None, np.arange(given.shape[0]))


def _joined(train: InteractionMatrix, panel: InteractionMatrix) -> InteractionMatrix:
    """Everybody: the panel's whole histories beside those of training, on the columns of training."""
    columns = train.items.find(panel.items.ids.tolist())
    theirs, order = renumbered(panel.matrix, panel.order, columns, len(train.items))
    users = Index.of([*train.users.ids.tolist(), *panel.users.ids.tolist()], "user")
    whole = None if train.order is None or order is None else np.concatenate([train.order, order])
    return InteractionMatrix(csr_matrix(vstack([train.matrix, theirs])), users, train.items, whole)


def _saved(bundle: ModelBundle, folder: Path, name: str) -> Path:
    bundle.save(folder / name)
    return folder / name


def _rewritten(folder: Path, change: Callable[[bytes], bytes]) -> None:
    file = folder / ARRAYS
    data = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(change(data))
