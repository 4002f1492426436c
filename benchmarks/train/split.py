"""One split for everybody: cut once, read by every process, and judged by the same evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.recommender import Holdout

METRIC = "ndcg@100"


class Scorer(Protocol):
    """Anything that scores histories: a model of ours or somebody else's."""

    def score(self, rows: csr_matrix) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Parts:
    """train: (n_users, n_items) CSR. validation, test: people never trained on, over the same columns."""

    train: csr_matrix
    validation: Holdout
    test: Holdout

    @classmethod
    def of(cls, split: Split) -> Parts:
        """DataError when the split is too small to have validation users."""
        if split.validation is None or not split.validation.hidden.nnz:
            raise DataError("the data is too small to hold out validation users", do="bring more data")
        return cls(split.train, split.validation, Holdout(split.given, split.hidden))

    def save(self, folder: Path) -> None:
        for name, matrix in self._named().items():
            scipy.sparse.save_npz(folder / f"{name}.npz", matrix, compressed=False)

    @classmethod
    def load(cls, folder: str | Path) -> Parts:
        read = {name: csr_matrix(scipy.sparse.load_npz(Path(folder, f"{name}.npz"))) for name in _NAMES}
        return cls(
            read["train"],
            Holdout(read["validation_given"], read["validation_hidden"]),
            Holdout(read["test_given"], read["test_hidden"]),
        )

    def _named(self) -> dict[str, csr_matrix]:
        held = (self.validation.given, self.validation.hidden, self.test.given, self.test.hidden)
        return dict(zip(_NAMES, (self.train, *held), strict=True))


_NAMES = ("train", "validation_given", "validation_hidden", "test_given", "test_hidden")


def judged(model: Scorer, holdout: Holdout) -> float:
    """Mean ndcg@100 over the holdout's people, full catalogue, by the evaluation that ``recsys evaluate`` uses."""
    n, n_items = holdout.given.shape
    people = tuple(str(number) for number in range(n))
    items = Index.of([str(number) for number in range(n_items)])
    whole: Any = model  # evaluate only scores with it
    split = Split("judged", holdout.given[:0], holdout.given, holdout.hidden, items, people, None, {})
    return float(evaluate(whole, split, [METRIC]).values[METRIC].mean())
