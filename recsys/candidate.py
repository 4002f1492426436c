"""train_candidate: a matrix in, a model ready to be published out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recsys.matrix import InteractionMatrix
from recsys.models import config_of, create
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle


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
    """
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
