"""Blend: how the linear and the deep path's scores become one, and the choice of how much of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from recsys.errors import SettingError
from recsys.linear.judge import Judge
from recsys.models.checks import in_range

_SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
_TEMPERATURES = (1.0, 2.0, 4.0, 8.0)


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
        """(2,) float64: share and temperature, NaN for none."""
        return np.array([self.share, np.nan if self.temperature is None else self.temperature])

    @classmethod
    def restore(cls, state: np.ndarray) -> Self:
        share, temperature = state.tolist()
        return cls(share, None if np.isnan(temperature) else temperature)

    def __call__(self, linear: np.ndarray, deep: np.ndarray) -> np.ndarray:
        """(rows, n_items) float32 from the scores of both paths."""
        if self.share == 1:
            return deep
        mixed = _unit(linear) * np.float32(1 - self.share)
        if self.share > 0:
            mixed += _unit(self._tempered(deep)) * np.float32(self.share)
        return mixed

    def _tempered(self, logits: np.ndarray) -> np.ndarray:
        if self.temperature is None:
            return logits
        return np.exp((logits - logits.max(axis=1, keepdims=True)) / np.float32(self.temperature))


def choose_blend(judge: Judge, linear: np.ndarray, deep: np.ndarray) -> tuple[Blend, float]:
    """The blend that ranks the judge's rows best, and its value. linear, deep: scores of ``judge.given``."""
    wanted = [Blend(0.0, None), Blend(1.0, None)]
    wanted += [Blend(share, warm) for warm in (*_TEMPERATURES, None) for share in _SHARES if 0 < share < 1]
    values = [float(judge(blend(linear, deep)).mean()) for blend in wanted]
    best = int(np.argmax(values))
    return wanted[best], values[best]


def _unit(scores: np.ndarray) -> np.ndarray:
    deviation = scores.std(axis=1, keepdims=True)
    return scores / np.where(deviation > 0, deviation, 1).astype(np.float32)
