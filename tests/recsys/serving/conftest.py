"""Bundles whose answers are known by construction: two tastes, each an axis of the plane that items lie in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recsys.matrix import Index
from recsys.models import create
from recsys.serving.bundle import ModelBundle
from recsys.serving.registry import ModelRegistry

# a* items are one taste, b* the other; within a taste a smaller number scores higher. b0 is the most popular of all.
ITEMS = ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]
POPULARITY = [50, 40, 30, 20, 90, 35, 25, 15]


def als_bundle(scale: float = 1.0, items: list[str] = ITEMS) -> ModelBundle:
    length = np.array([1.0, 0.9, 0.8, 0.7] * (len(items) // 4), dtype=np.float32) * scale
    vectors = np.zeros((len(items), 2), dtype=np.float32)
    for row, item in enumerate(items):
        vectors[row, 0 if item.startswith("a") else 1] = length[row]
    model = create("als", factors=2, alpha=4.0).restore(
        {"items": vectors, "regularization": np.array([0.1], dtype=np.float64)}
    )
    popularity = np.array(POPULARITY[: len(items)], dtype=np.float32)
    return ModelBundle(
        model, Index.of(items, "item"), popularity, {"model": "als", "config": {"factors": 2, "alpha": 4.0}}
    )


def popularity_bundle(first: float = 50.0) -> ModelBundle:
    counts = np.array([first, *POPULARITY[1:]], dtype=np.float32)
    model = create("popularity").restore({"popularity": counts})
    return ModelBundle(model, Index.of(ITEMS, "item"), counts, {"model": "popularity", "config": {}})


@pytest.fixture
def make_als() -> Callable[..., ModelBundle]:
    return als_bundle


@pytest.fixture
def make_popularity() -> Callable[..., ModelBundle]:
    return popularity_bundle


@pytest.fixture
def registry(tmp_path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")
