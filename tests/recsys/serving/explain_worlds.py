"""Small fitted models, histories, and an oracle of plain scoring, which the tests of explanations share."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.sparse import csr_matrix

from recsys.matrix import Index
from recsys.models import config_of, create
from recsys.recommender import FitOptions, Recommender
from recsys.serving.bundle import ModelBundle
from recsys.serving.profile import Profile

N_ITEMS = 40
SETTINGS = {
    "als": {"factors": 12, "regularization": 2.0},
    "ease": {"l2": 20.0},
    "svd": {"factors": 8},
    "autoencoder": {
        "layers": [32],
        "bottleneck": 16,
        "epochs": 15,
        "learning_rate": 0.005,
        "weight_decay": 2.0,
        "linear": [{"kind": "closed-form", "weight": 1.0, "l2": 20.0, "user_exponent": 0.25, "dropout": 0.5}],
        "blend": {"share": 0.5, "temperature": 4.0},
    },
}


@cache
def histories() -> csr_matrix:
    """(240, 40): people of three tastes with some strangers among their items; strengths from a half to three."""
    rng = np.random.default_rng(3)
    taste = rng.integers(3, size=240)
    own = np.arange(N_ITEMS)[None, :] % 3 == taste[:, None]
    popular = 2 / (2 + np.arange(N_ITEMS) / 10)
    liked = rng.random((240, N_ITEMS)) < np.where(own, 0.5, 0.1) * popular
    liked[:, :2] |= ~liked.any(axis=1)[:, None]
    return csr_matrix(np.where(liked, rng.choice([0.5, 1.0, 3.0], liked.shape), 0).astype(np.float32))


@cache
def bundle_of(name: str, recency: float = 0.0) -> tuple[ModelBundle, csr_matrix]:
    """A model fitted on ``histories``, and them."""
    rows = histories()
    settings = {**SETTINGS[name], **({} if name == "svd" else {"recency": recency})}
    model = create(name, **settings).fit(rows, FitOptions(device="cpu", seed=1))
    ids = Index.of([f"i{k}" for k in range(N_ITEMS)], "item")
    popularity = np.asarray(rows.sum(axis=0), dtype=np.float32).ravel()
    return ModelBundle(model, ids, popularity, {"model": name, "config": config_of(model)}), rows


def profile_of(row: csr_matrix, order: np.ndarray | None = None) -> Profile:
    """A history of liked items only, by its row."""
    ids = np.array([f"i{k}" for k in row.indices], dtype=object)
    liked = dict(zip(ids.tolist(), row.data.tolist(), strict=True))
    return Profile(row, order, ids, row.indices.astype(np.int32), np.zeros(row.nnz, dtype=bool), liked)


def rows_without(model: Recommender, row: csr_matrix, order: np.ndarray | None, removed: np.ndarray) -> np.ndarray:
    """(n, n_items) scores, each history made, faded and scored by itself, the slow and plain way."""
    found = []
    for gone in removed:
        dense = np.zeros((1, row.shape[1]), dtype=np.float32)
        strengths = row.data[~gone].astype(np.float64)
        recency = getattr(model.config, "recency", None) or 0.0
        if order is not None:
            when = order[~gone]
            strengths *= (1.0 + np.array([(when > one).sum() for one in when])) ** -recency
        dense[0, row.indices[~gone]] = strengths
        found.append(model.score(csr_matrix(dense))[0])
    return np.array(found)
