"""A world whose answer is known: people of eight tastes, each of whom takes from the thirty items of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.candidate import train_candidate
from recsys.gate import Trial
from recsys.matrix import Index, InteractionMatrix
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle

TASTES, OF_EACH = 8, 30
ITEMS = TASTES * OF_EACH


def histories(people: int, seed: int, name: str, items: range = range(ITEMS)) -> InteractionMatrix:
    """Each takes 8 to 16 items of one taste, of which the first are the most popular, and two of any, in any order."""
    rng = np.random.default_rng(seed)
    liking = 1 / np.sqrt(np.arange(1, OF_EACH + 1))
    rows = np.zeros((people, ITEMS), dtype=np.float32)
    for person in range(people):
        own = rng.choice(OF_EACH, rng.integers(8, 17), replace=False, p=liking / liking.sum()) + OF_EACH * (
            person % TASTES
        )
        rows[person, own] = 1
        rows[person, rng.choice(ITEMS, 2, replace=False)] = 1
    matrix = csr_matrix(rows[:, items])
    order = rng.permutation(matrix.nnz)
    users = Index.of([f"{name}{k}" for k in range(people)], "user")
    return InteractionMatrix(matrix, users, Index.of([f"i{k:03d}" for k in items], "item"), order)


def world(people: int = 400, judged: int = 160, seed: int = 0) -> tuple[InteractionMatrix, Trial]:
    """(what candidates learn from, the trial)."""
    train = histories(people, seed, "t")
    return train, Trial.of(train, histories(judged, seed + 1, "p"), seed)


def fitted(data: InteractionMatrix, name: str = "ease", seed: int = 0, **config: Any) -> ModelBundle:
    return train_candidate(name, config, data, FitOptions(seed=seed))


def of_matrix(matrix: csr_matrix, items: Index) -> InteractionMatrix:
    return InteractionMatrix(matrix, Index.of([str(k) for k in range(matrix.shape[0])], "user"), items)


def shuffled(data: InteractionMatrix, seed: int = 0) -> InteractionMatrix:
    """As many interactions a person and an item, but anybody's."""
    rng = np.random.default_rng(seed)
    entries = data.matrix.tocoo()
    mixed = csr_matrix((entries.data, (entries.row, rng.permutation(entries.col))), shape=data.matrix.shape)
    mixed.data[:] = 1
    return replace(data, matrix=mixed, order=None)


class Altered:
    """A fitted model whose scores are changed on their way out."""

    def __init__(self, model: Any, change: Any) -> None:
        self.model, self.change, self.config = model, change, model.config

    def score(self, rows: csr_matrix) -> np.ndarray:
        return self.change(self.model.score(rows))

    def item_vectors(self) -> None:
        return None

    def state(self) -> dict[str, np.ndarray]:
        return self.model.state()


def altered(bundle: ModelBundle, change: Any) -> ModelBundle:
    return replace(bundle, model=Altered(bundle.model, change))
