"""What an evaluation found, as values: nothing in them depends on how they will be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.checks import Check
from recsys.evaluation.comparison import Comparison
from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import Interval
from recsys.evaluation.verdict import Verdict
from recsys.recommender import Progress


class Coder(Protocol):
    """A model with a bottleneck, or what is left of one: it can say where a history and an item are."""

    def encode(self, rows: csr_matrix) -> np.ndarray: ...
    def item_vectors(self) -> np.ndarray | None: ...


@dataclass(frozen=True, eq=False)
class Fit:
    """One model on one split; the model itself is let go, for several of them may not fit into memory.

    config: what it was, choices included. coder: what is left of a model with a bottleneck, enough for codes and item
    vectors; None for the others, and for splits before the last. parameters, bytes: of its state. peak_memory: bytes
    that the fit needed beyond what the process held; None: nobody can tell.
    """

    config: Mapping[str, Any]
    coder: Coder | None
    parameters: int
    bytes: int
    seconds: float
    peak_memory: int | None
    steps: Sequence[Progress]
    per_user: PerUser


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model's part of an evaluation.

    settings: what was asked for. fits: one a split. intervals: metric -> mean and 95% interval over the people of all
    splits.
    """

    settings: Mapping[str, Any]
    fits: Sequence[Fit]
    intervals: Mapping[str, Interval]

    @property
    def last(self) -> Fit:
        """On the last split."""
        return self.fits[-1]

    @property
    def fit_seconds(self) -> float:
        """Of one fit, on average."""
        return float(np.mean([fit.seconds for fit in self.fits]))

    @property
    def score_seconds(self) -> float:
        """For the people of one split, on average."""
        return float(np.mean([fit.per_user.score_seconds for fit in self.fits]))

    @property
    def peak_memory(self) -> int | None:
        known = [fit.peak_memory for fit in self.fits if fit.peak_memory is not None]
        return max(known, default=None)

    def values(self, metric: str) -> np.ndarray:
        """(rows,) a value a person and split, split after split."""
        return np.concatenate([fit.per_user.values[metric] for fit in self.fits])


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything a report is written from. splits: one a seed or window of time; metrics: in the order asked.

    failed: model -> why it has no result. main: the metric to decide by.
    """

    splits: Sequence[Split]
    metrics: tuple[str, ...]
    main: str
    device: str
    created: datetime
    command: tuple[str, ...]
    models: Mapping[str, ModelResult]
    failed: Mapping[str, str]
    comparisons: Sequence[Comparison]
    checks: Sequence[Check]
    verdict: Verdict
    catalogue: Catalogue = field(default_factory=Catalogue)
    tuning: Mapping[str, Any] | None = None

    @property
    def split(self) -> Split:
        """The last one: what the page shows of single people is from there."""
        return self.splits[-1]

    @property
    def seed(self) -> int:
        return self.splits[0].seed

    @property
    def persons(self) -> np.ndarray | None:
        """(rows,) which person each row of `ModelResult.values` is of; None with one split, where all differ."""
        return persons(self.splits)


def persons(splits: Sequence[Split]) -> np.ndarray | None:
    """(rows,) int64, equal for the rows of one person in several splits; None for a single split."""
    if len(splits) == 1:
        return None
    number: dict[str, int] = {}
    return np.array([number.setdefault(user, len(number)) for split in splits for user in split.users], dtype=np.int64)
