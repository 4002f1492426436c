"""Blend: how the linear and the deep path's scores become one, and the choice of how much of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from recsys.errors import SettingError
from recsys.linear.judge import Judge
from recsys.models.checks import in_range

_COARSE = (0.1, 0.35, 0.65)
_FINE = (0.05, 0.2, 0.5, 0.8)
_TEMPERATURES = (None, 1.0, 2.0, 4.0, 8.0)
TRIALS = 2 + len(_COARSE) * len(_TEMPERATURES) + len(_FINE)  # rankings that a choice takes


@dataclass(frozen=True)
class Blend:
    """score = (1 - share) s(linear) + share s(deep), s: a row divided by its standard deviation over the items.

    Logits fall off evenly down a ranking, where linear scores have a few peaks, so the deep path takes part as
    exp(logits / temperature), its probabilities tempered; temperature None: as logits.
    """

    share: float = 0.5
    temperature: float | None = 4.0

    def __post_init__(self) -> None:
        in_range("share", self.share, 0, 1)
        if self.temperature is not None:
            in_range("temperature", self.temperature, 1e-3, 1e6)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        unknown = sorted(set(settings) - {"share", "temperature"})
        if unknown:
            raise SettingError(f"a blend has no setting called '{unknown[0]}'", do="it has share and temperature")
        return cls(**settings)

    def settings(self) -> dict[str, Any]:
        return asdict(self)

    def state(self) -> np.ndarray:
        """(2,) float64: share and temperature, 0 for none: a bundle holds finite numbers only."""
        return np.array([self.share, self.temperature or 0.0])

    @classmethod
    def restore(cls, state: np.ndarray) -> Self:
        share, temperature = state.tolist()
        return cls(share, temperature or None)

    def __call__(self, linear: np.ndarray, deep: np.ndarray) -> np.ndarray:
        """(rows, n_items) float32 from the scores of both paths."""
        if self.share == 1:
            return deep
        mixed = _unit(linear) * np.float32(1 - self.share)
        if self.share > 0:
            mixed += _unit(self.tempered(deep)) * np.float32(self.share)
        return mixed

    def tempered(self, logits: np.ndarray) -> np.ndarray:
        """What takes the deep path's part: exp(logits / temperature), 1 at a row's best item, or the logits."""
        if self.temperature is None:
            return logits
        return np.exp((logits - logits.max(axis=1, keepdims=True)) / np.float32(self.temperature))


def choose_blend(judge: Judge, linear: np.ndarray, deep: np.ndarray) -> tuple[Blend, float]:
    """The blend that ranks the judge's rows best, and its value. linear, deep: scores of ``judge.given``.

    Each path alone; every temperature at a few shares; then the other shares at the best temperature.
    """
    best, most = Blend(0.0, None), float(judge(linear).mean())
    alone = float(judge(deep).mean())
    if alone > most:
        best, most = Blend(1.0, None), alone
    calm = _unit(linear)

    def tried(temperature: float | None, shares: Sequence[float]) -> list[tuple[float, Blend]]:
        other = _unit(Blend(0.5, temperature).tempered(deep))
        mixes = ((share, calm * np.float32(1 - share) + other * np.float32(share)) for share in shares)
        return [(float(judge(mixed).mean()), Blend(share, temperature)) for share, mixed in mixes]

    for shares, temperatures in ((_COARSE, _TEMPERATURES), (_FINE, None)):
        for temperature in temperatures if temperatures is not None else [best.temperature]:
            value, blend = max(tried(temperature, shares), key=lambda one: one[0])
            if value > most:
                best, most = blend, value
    return best, most


def _unit(scores: np.ndarray) -> np.ndarray:
    deviation = scores.std(axis=1, keepdims=True)
    return scores / np.where(deviation > 0, deviation, 1).astype(np.float32)
