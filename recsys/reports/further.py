"""further: the parts of a report that go beyond the numbers of the models: cohorts, people, maps, groups, widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.errors import RecsysError
from recsys.evaluation.cohorts import as_cohorts
from recsys.groups import similar_people
from recsys.groups.export import as_groups
from recsys.models import create
from recsys.recommender import FitOptions, Progress
from recsys.reports.bottlenecks import bottlenecks
from recsys.reports.examples import examples
from recsys.reports.maps import item_maps

if TYPE_CHECKING:
    from recsys.evaluation.results import Coder, Evaluation


def further(
    evaluation: Evaluation,
    *,
    cohorts: Sequence[str] = (),
    quick: bool = False,
    tell: Callable[[str], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """cohorts, examples, maps, groups and bottlenecks, each as the page wants it, or None with nothing to show,
    or where it cannot be made: the reason is told.

    cohorts: attributes to group by, besides history length, popularity and recency. quick: leave out what trains
    further models or groups people. tell: told what is being made; on_progress: told of the further models' epochs.
    """
    tell = tell or (lambda line: None)
    split, catalogue, seed = evaluation.split, evaluation.catalogue, evaluation.seed
    tell("report: cohorts and examples")
    per_user = {name: [fit.per_user for fit in result.fits] for name, result in evaluation.models.items()}
    last = {name: parts[-1] for name, parts in per_user.items()}
    found: dict[str, Any] = {
        "cohorts": as_cohorts(evaluation.splits, per_user, evaluation.metrics, catalogue, cohorts, seed),
        "examples": examples(split, last, catalogue, evaluation.main),
        "maps": None,
        "groups": None,
        "bottlenecks": None,
    }
    deep = _first(evaluation, "autoencoder")
    if deep is None or quick:
        return found
    people, named = split.given, split.users
    if split.name == "strong":  # the people asked are not among those trained on
        people, named = csr_matrix(vstack([split.train, split.given])), (*split.train_users, *split.users)
    makers: dict[str, tuple[str, Callable[[], dict[str, Any] | None]]] = {
        "maps": ("the map of items", lambda: _maps(evaluation, deep)),
        "groups": (
            "groups of similar people",
            lambda: as_groups(similar_people(deep, people, named, split.items, catalogue, seed)),
        ),
        "bottlenecks": (
            "reconstruction by width of the bottleneck",
            lambda: bottlenecks(split, seed, evaluation.device, on_progress=on_progress),
        ),
    }
    for key, (what, make) in makers.items():
        tell(f"report: {what}")
        try:
            found[key] = make()
        except RecsysError as error:  # what models were trained for minutes for is not lost with a picture
            tell(f"report: without {what}: {error}")
    return found


def _maps(evaluation: Evaluation, deep: Coder) -> dict[str, Any] | None:
    """Of the autoencoder's item vectors and the SVD's, fitted for this where it was not among the models."""
    split = evaluation.split
    svd = _first(evaluation, "svd") or create("svd").fit(split.train, FitOptions(seed=evaluation.seed))
    spaces = {name: model.item_vectors() for name, model in (("autoencoder", deep), ("svd", svd))}
    popularity = np.asarray(split.train.astype(bool).sum(axis=0)).ravel()
    known = {name: vectors for name, vectors in spaces.items() if vectors is not None}
    return item_maps(known, split.items, popularity, evaluation.catalogue, evaluation.seed)


def _first(evaluation: Evaluation, name: str) -> Coder | None:
    """What is left of the first of the models that is of this kind, whatever its preset; None without."""
    return next((result.last.coder for key, result in evaluation.models.items() if key.partition(":")[0] == name), None)
