"""tune: the settings of one model that rank held-out rows best, as far as a budget allows to look."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys import __version__
from recsys.errors import DataError
from recsys.evaluation.metrics import metric_to_choose_by
from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.models import config_of, create, model_class
from recsys.recency import of_rows
from recsys.recommender import FitOptions, Holdout
from recsys.tuning.budget import Budget
from recsys.tuning.search import Search, TunedConfig, TuningStep

METRIC = "ndcg@100"
_FEWEST_HELD_OUT, _MOST_HELD_OUT = 5, 5000


def tune(
    name: str,
    train: csr_matrix,
    holdout: Holdout,
    budget: Budget,
    folder: Path,
    *,
    start: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    metric: str = METRIC,
    seed: int = 0,
    device: str = "auto",
    watch: Callable[[TuningStep], None] | None = None,
) -> TunedConfig:
    """Fit the model called ``name`` on ``train`` again and again, and keep the settings that rank ``holdout`` best.

    train: (n_users, n_items) CSR. holdout: rows of the same items, with something hidden in at least one. Nothing else
    is seen, so nothing else can leak. The first trial has the settings the search starts from (the model's defaults,
    changed by ``start``), so the result is never below them on the held-out rows. fixed: settings that stay as they
    are. The trials are kept in a journal in ``folder``: the same search goes on where it was left, and its trials count
    toward the budget. A fit that tells how good it is becoming is given up when the median of the others was better.

    Raises SettingError for an unknown model, setting or metric; DataError for held-out rows without anything hidden and
    for a journal that cannot be used; AlreadyRunning; TrainingError when the first trial cannot be trained.
    """
    metric_to_choose_by(metric)
    start, fixed = dict(start or {}), dict(fixed or {})
    begin = config_of(create(name, **{**start, **fixed}))
    useless = {"recency"} if holdout.order is None else set()
    space = getattr(model_class(name), "space", {})
    space = {key: one for key, one in space.items() if key not in useless | set(fixed)}
    if not space:
        return TunedConfig(name, metric, {**start, **fixed}, {}, None, None, 0, 0, 0, 0, 0.0)
    about = {
        "data": _fingerprint(train, holdout),
        "model": name,
        "metric": metric,
        "seed": seed,
        "start": begin,
        "space": {key: repr(one) for key, one in sorted(space.items())},
        "version": __version__,
    }
    digest = hashlib.sha256(repr(sorted(about.items())).encode()).hexdigest()
    split = _as_split(train, holdout)
    from recsys.tuning.journal import open_journal  # Optuna: nobody else needs it

    with open_journal(folder / f"{name}-{digest[:16]}.journal", about, space, begin, seed) as journal:
        options = FitOptions(device, seed, holdout, metric=metric)
        return Search(name, metric, split, budget, {**start, **fixed}, options, journal, watch or _ignore).run()


def spare(
    matrix: csr_matrix, seed: int, share: float = 0.1, given: float = 0.8, order: np.ndarray | None = None
) -> tuple[csr_matrix, Holdout]:
    """(the rows to train on, the rest as a holdout): a share of the users with two interactions or more, at most 5,000.

    order: (nnz,) when each entry last occurred, larger is later: then the latest of each history is hidden.
    Raises DataError when that would be fewer than five.
    """
    rng = np.random.default_rng(seed)
    able = np.flatnonzero(np.diff(matrix.indptr) > 1)
    wanted = min(round(len(able) * share), _MOST_HELD_OUT)
    if wanted < _FEWEST_HELD_OUT:
        raise DataError(
            f"{len(able)} users with at least two interactions are too few to hold some out and tune by them",
            do="leave out --tune, or bring more data: about 50 such users are the least that says anything",
        )
    spared = np.zeros(matrix.shape[0], dtype=bool)
    spared[rng.choice(able, wanted, replace=False)] = True
    return matrix[~spared], Holdout.of(matrix[spared], given, rng, of_rows(matrix, order, spared))


def _ignore(_: TuningStep) -> None:
    pass


def _as_split(train: csr_matrix, holdout: Holdout) -> Split:
    """The held-out rows in the place of the test part: all that ``evaluate`` sees here."""
    asked = np.flatnonzero(np.diff(holdout.hidden.indptr))
    if not len(asked):
        raise DataError(
            "there is nothing hidden in the held-out rows to tune by",
            do="bring more data: people with longer histories",
        )
    return Split(
        name="validation",
        train=train,
        given=holdout.given[asked],
        hidden=holdout.hidden[asked],
        items=Index.of([str(column) for column in range(train.shape[1])]),
        users=tuple(map(str, asked)),
        validation=holdout,
        facts={},
        given_order=of_rows(holdout.given, holdout.order, asked),
    )


def _fingerprint(train: csr_matrix, holdout: Holdout) -> str:
    """sha256 over the three matrices and the order, the same on every machine."""
    digest = hashlib.sha256()
    for one in (train, holdout.given, holdout.hidden):
        digest.update(repr(one.shape).encode())
        for array, kind in ((one.indptr, "<i8"), (one.indices, "<i4"), (one.data, "<f4")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    if holdout.order is not None:
        digest.update(np.ascontiguousarray(holdout.order, dtype="<i8").tobytes())
    return digest.hexdigest()
