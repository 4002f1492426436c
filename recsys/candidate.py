"""train_candidate: a matrix in, a model ready to be published out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from recsys.errors import TrainingError
from recsys.matrix import InteractionMatrix
from recsys.models import config_of, create
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def train_candidate(
    name: str,
    config: dict[str, Any],
    data: InteractionMatrix,
    options: FitOptions,
    facts: Mapping[str, Any] | None = None,
) -> ModelBundle:
    """Fit the model called ``name`` and bundle it with its item index, item popularity and a card of plain facts.

    facts: for the card, as `recsys.night.material.Material.card` gives them. The card holds counts and settings only:
    nothing in it, or in the bundle, names a user, nor tells the time, so the same training gives the same bytes.
    Raises TrainingError, by name, where memory runs out or the numbers do not come out.
    """
    with _in_words(name):
        model = create(name, **config).fit(data.matrix, replace(options, order=data.order))
    popularity = np.asarray(data.matrix.astype(bool).sum(axis=0)).ravel().astype(np.float32)
    card = {
        "model": name,
        "config": config_of(model),
        "seed": options.seed,
        "data": {"users": len(data.users), "items": len(data.items), "preferences": int(data.matrix.nnz)},
        "parameters": int(sum(array.size for array in model.state().values())),
        **(facts or {}),
    }
    return ModelBundle(model=model, items=data.items, popularity=popularity, card=card)


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """What numpy and torch raise when a fit cannot go on, as one of ours."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch has a RuntimeError for it, on the CPU and on a GPU
        if isinstance(error, RuntimeError) and not any(words in str(error) for words in _NO_MEMORY):
            raise
        raise TrainingError(
            f"not enough memory to train {name}", do="use a smaller model or batch, or a machine with more memory"
        ) from error
    except (np.linalg.LinAlgError, ArithmeticError) as error:
        raise TrainingError(
            f"{name} cannot be trained on these data: {error}", do="see whether all values are alike, or far too large"
        ) from error
