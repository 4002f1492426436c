"""bottlenecks: how much of a history gets through a code of each width, the autoencoder's and the SVD's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.evaluate import MOST_SCORES, hits_of
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import intervals
from recsys.models import create
from recsys.recommender import FitOptions, Holdout, Progress, Recommender, top_n

WIDTHS = (8, 16, 32, 64, 128, 256)
_MOST_LEARNERS, _MOST_ASKED = 6_000, 1_000
_FEWEST_LEARNERS = 1_000
_MOST_CELLS = 80_000_000  # learners x items: what training costs; with more items fewer people learn
_SHARE = 4  # at least this many people to learn from for each that is asked
# The deep path alone, told to give back all it is shown. Chosen on validation users of MovieLens 1M: of what was tried
# in 20 epochs this restored most. Without the decay it learns its own people by heart and restores others worse.
_RESTORING: dict[str, Any] = {
    "linear": "none",
    "targets": "all",
    "mask_low": 0.0,
    "mask_high": 0.0,
    "dropout": 0.0,
    "layers": (600,),
    "weight_decay": 4.0,
    "batch_size": 256,
    "epochs": 20,
}
MEASURE = "share of a person's n items that are not among the model's n best-scored ones"


def bottlenecks(
    split: Split,
    seed: int,
    device: str = "auto",
    widths: Sequence[int] = WIDTHS,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any] | None:
    """The report's "bottlenecks": the error of histories restored through codes of several widths.

    Models of their own are trained for this, on at most 6,000 of the split's training histories (fewer of a catalogue
    above 13,000 items), and asked about at most 1,000 of the people that the split asks about, who are not among those.
    error: the mean over people of `missing` of what they gave, all of it shown; hidden_error: of what they hid, the
    same shown and left out of the ranking; each with a 95% interval over people. on_progress: called after every epoch
    of every width. None where the split has too few people, or no width is below the number of its training histories
    and of its items.
    """
    learners, asked = _people(split, np.random.default_rng(seed))
    train, given, hidden = split.train[learners], split.given[asked], split.hidden[asked]
    widths = sorted({width for width in widths if width < min(train.shape)})
    if not len(asked) or not widths:
        return None
    started, epochs = time.perf_counter(), _RESTORING["epochs"]
    nobody = csr_matrix((0, train.shape[1]), dtype=np.float32)
    rows: dict[str, list[dict[str, float]]] = {"autoencoder": [], "svd": []}
    widest = create("svd", factors=widths[-1], item_exponent=0).fit(train, FitOptions(device, seed)).state()
    described = ""
    for place, width in enumerate(reversed(widths)):  # the slowest first: what is left is then no more than told

        def tell(progress: Progress, before: int = place * epochs) -> None:
            if on_progress is not None:
                spent, done, steps = time.perf_counter() - started, before + progress.step, len(widths) * epochs
                left = spent / done * (steps - done)
                on_progress(Progress(done, steps, progress.loss, "", None, None, spent, left))

        # Nobody to stop by: every epoch is trained, for the best one by what is hidden is not the best at restoring.
        options = FitOptions(device, seed, Holdout(nobody, nobody), tell)
        deep = create("autoencoder", bottleneck=width, **_RESTORING).fit(train, options)
        described = described or _described(deep.config)
        leading = {"vectors": widest["vectors"][:, :width], "values": widest["values"][:width]}
        linear = create("svd", factors=width, item_exponent=0).restore(leading)
        for name, model in (("autoencoder", deep), ("svd", linear)):
            rows[name].insert(0, {"width": width, **_errors(model, given, hidden, seed)})
    return {
        "about": (
            f"How much of a history gets through a code of so many numbers. Both models learnt from the same "
            f"{len(learners):,} histories and were shown those of {len(asked):,} other people. Restored: the items "
            "shown, looked for in the whole catalogue. Hidden: the items kept back, looked for among those not shown; "
            "where this curve turns up, a wider code only copies better. Autoencoder: trained for this picture alone, "
            f"to give back all it is shown ({described}); the models compared elsewhere in this report learn to find "
            "what is hidden. SVD: the truncated singular value decomposition, which no linear code of its width beats "
            "in squared error."
        ),
        "measure": MEASURE,
        "models": rows,
    }


def missing(scores: np.ndarray, seen: csr_matrix | None, wanted: csr_matrix) -> np.ndarray:
    """(rows,) float64: the share of a row's n wanted items that are not among its n best, 1 - R-precision.

    scores: (rows, n_items). seen: left out of the ranking. A row that wants nothing misses nothing.
    """
    sizes = np.diff(wanted.indptr)
    items, _ = top_n(scores, seen, int(sizes.max(initial=0)))
    found = (hits_of(items, wanted) & (np.arange(items.shape[1]) < sizes[:, None])).sum(axis=1)
    return (sizes - found) / np.maximum(sizes, 1)


def _errors(model: Recommender, given: csr_matrix, hidden: csr_matrix, seed: int) -> dict[str, float]:
    at_once = max(1, MOST_SCORES // given.shape[1])
    values = []
    for start in range(0, given.shape[0], at_once):
        shown, kept_back = given[start : start + at_once], hidden[start : start + at_once]
        scores = model.score(shown)
        values.append(np.column_stack([missing(scores, None, shown), missing(scores, shown, kept_back)]))
    restored, unseen = intervals(np.concatenate(values), seed)
    return {
        "error": restored.mean,
        "low": restored.low,
        "high": restored.high,
        "hidden_error": unseen.mean,
        "hidden_low": unseen.low,
        "hidden_high": unseen.high,
    }


def _people(split: Split, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``split.train`` to learn from and of ``split.given`` to ask about: different people, drawn at random."""
    able = np.flatnonzero(np.diff(split.given.indptr))
    most = min(_MOST_ASKED, split.train.shape[0] // _SHARE, len(able))
    asked = np.sort(rng.choice(able, most, replace=False))
    names = {split.users[row] for row in asked.tolist()}
    others = np.array([row for row, name in enumerate(split.train_users) if name not in names], dtype=np.int64)
    if not split.train_users:  # nobody says who they are: then they are others
        others = np.arange(split.train.shape[0])
    most = min(_MOST_LEARNERS, max(_FEWEST_LEARNERS, _MOST_CELLS // split.train.shape[1]), len(others))
    return np.sort(rng.choice(others, most, replace=False)), asked


def _described(config: Any) -> str:
    """What the autoencoder was, of its own settings."""
    layers = "-".join(map(str, config.layers))
    sampled = f", likelihood over {config.negatives:,} items drawn a step" if config.negatives else ""
    return (
        f"deep path alone, a hidden layer of {layers} before the code and none after it, nothing masked or dropped, "
        f"{config.likelihood} likelihood of the whole history{sampled}, {config.epochs} epochs, batches of "
        f"{config.batch_size}, learning rate {config.learning_rate:g}, weight decay {config.weight_decay:g}, "
        f"{config.start} start"
    )
