"""Worlds where the truth is known: per-user values like those of rankings, whose mean is given or differs by nothing.

Values are mostly 0, bounded by 1 and skewed, as recall and ndcg of one user are. A world draws (n, columns) float64,
every column another sample of n users; `CLUSTERED` has up to three rows a person, of three seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


@dataclass(frozen=True)
class World:
    """truth: the mean of what is drawn."""

    name: str
    draw: Draw
    truth: float


def _found(rng: np.random.Generator, chance: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    return rng.binomial(hidden, chance) / hidden


def halves(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """One list, judged by each half of the user's hidden items: every user's two values can change places."""
    chance, hidden = rng.beta(0.8, 4, (n, columns)), rng.integers(1, 20, (n, columns))
    return _found(rng, chance, hidden) - _found(rng, chance, hidden)


def noisy(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """A value and the same value with noise that is as likely up as down; users without a hit stay at 0."""
    value = _ndcg(rng, n, columns)
    return value * rng.uniform(-1, 1, (n, columns))


def skewed(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """Noise that takes a little from many and gives much to few: mean 0, but no user's sign can be turned.

    The hypothesis of a sign-flip test is not true here, only that of no mean difference is; it must hold by large n.
    """
    value = _ndcg(rng, n, columns)
    return value * (rng.exponential(1, (n, columns)) - 1)


def _ndcg(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """45% without a hit, the others from a skewed law on 0 to 1."""
    return np.where(rng.random((n, columns)) < 0.45, 0.0, rng.beta(1.2, 4, (n, columns)))


def rare(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """One user in ten has a hit at all: a weak model, or one hidden item a user."""
    return np.where(rng.random((n, columns)) < 0.9, 0.0, rng.beta(1, 3, (n, columns)))


def rare_pairs(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """Two equal models where hits are rare: nearly every difference is 0."""
    chance, hidden = rng.beta(0.3, 9, (n, columns)), rng.integers(1, 6, (n, columns))
    return _found(rng, chance, hidden) - _found(rng, chance, hidden)


SEEDS = 3


def people(n: int) -> np.ndarray:
    """(rows,) whose each row of `clustered` is: of n people, a third has one row, a third two and a third three."""
    return np.concatenate([np.flatnonzero(np.arange(n) % SEEDS >= seed) for seed in range(SEEDS)])


def clustered(rng: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """Differences of two equal models over three seeds: what suits a person is the same in each seed."""
    own = _found(rng, rng.beta(0.8, 4, (n, columns)), np.full((n, columns), 8))
    own = own * rng.uniform(-1, 1, (n, columns))
    rows = people(n)
    return own[rows] + 0.5 * own.std() * rng.standard_t(5, (len(rows), columns))


LEVELS = (
    World("ndcg of one model", _ndcg, 0.55 * 1.2 / 5.2),
    World("a model with rare hits", rare, 0.1 / 4),
)
PAIRS = (
    World("halves of the hidden items", halves, 0.0),
    World("symmetric noise", noisy, 0.0),
    World("asymmetric noise", skewed, 0.0),
    World("equal models, rare hits", rare_pairs, 0.0),
)
CLUSTERED = World("three seeds of the same users", clustered, 0.0)
