"""Answer: ranked items, and how they came to be ranked."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import Literal

from recsys.serving.explain import Because
from recsys.serving.slots import Source

Strategy = Literal["personal", "content", "popular", "trending", "similar"]


# Distinct is enough; asking the system for each would let other threads of the process go first.
_numbers = random.Random()
os.register_at_fork(after_in_child=_numbers.seed)


def new_id() -> str:
    """16 hex digits of an answer's own; not secret."""
    return f"{_numbers.getrandbits(64):016x}"


@dataclass(frozen=True, slots=True)
class Recommended:
    """One ranked item. score: comparable within one answer and source only. rank: from 1, counted over all pages.

    source: what put it there; "content": it shares categories with the history, and no model knows it or the history.
    because: items of the history that carry it; needed: a set of them without which it would not be in the list, by
    score a smallest; None where none was found or nobody asked. categories: of similar items, those that both have.
    """

    item: str
    score: float
    rank: int
    source: Source = "model"
    because: tuple[Because, ...] = ()
    needed: tuple[str, ...] | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for, and how it was made. user: None for an anonymous history. id: distinct for every answer."""

    user: str | None
    model_name: str
    model_version: str
    strategy: Strategy
    items: tuple[Recommended, ...]
    id: str = field(default_factory=new_id)
