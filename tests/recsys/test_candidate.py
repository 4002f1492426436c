"""A candidate: the same training gives the same bytes, and what stops one has a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recsys.candidate import train_candidate
from recsys.errors import TrainingError
from recsys.models.linear import EASE
from recsys.night.material import Material
from recsys.recommender import FitOptions
from tests.recsys.night.world import history


@pytest.mark.parametrize("name", ["ease", "als"])
def test_the_same_training_gives_the_same_bytes_and_another_seed_or_other_data_do_not(name: str):
    material, other = Material.of(history()), Material.of(history(seed=1))

    def made(data: Material, seed: int = 0) -> dict[str, bytes]:
        return train_candidate(name, {}, data.learnt, FitOptions(seed=seed), data.card()).files()

    assert made(material) == made(material)
    assert made(material) != made(material, seed=1)
    assert made(material) != made(other)


class Stops:
    """A fit that raises what it was given."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *arguments: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory to train ease"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "not enough memory to train ease"),
        (np.linalg.LinAlgError("Singular matrix"), "Singular matrix"),
        (FloatingPointError("overflow"), "overflow"),
    ],
)
def test_what_stops_a_fit_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str):
    monkeypatch.setattr(EASE, "fit", Stops(error))
    with pytest.raises(TrainingError, match=words):
        train_candidate("ease", {}, Material.of(history()).learnt, FitOptions())


def test_what_torch_says_when_the_cpu_has_no_memory_left_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(EASE, "fit", lambda *_: torch.empty(2**60, dtype=torch.uint8))
    with pytest.raises(TrainingError, match="not enough memory"):
        train_candidate("ease", {}, Material.of(history()).learnt, FitOptions())


def test_any_other_failure_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(EASE, "fit", Stops(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        train_candidate("ease", {}, Material.of(history()).learnt, FitOptions())
