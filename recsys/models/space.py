"""Space: the settings of a model that are worth looking through, as data beside its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high, both possible; whole numbers where both ends are. log: evenly in the logarithm."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, each fit for JSON."""

    options: tuple[Any, ...]


Space = Mapping[str, Range | Choice]
