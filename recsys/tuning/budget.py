"""Budget: how much looking every model is granted, the same for each."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.errors import SettingError

DEFAULT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Wall-clock seconds of fitting and judging, and trials; whichever ends first. None: not limited by it.

    What earlier runs of the same search spent counts. The first trial, the settings a model starts from, always runs to
    its end; a later one is broken off at its next step when the seconds are spent. Raises SettingError when neither is
    given, or one is not above 0.
    """

    seconds: float | None = DEFAULT_SECONDS
    trials: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.trials is None:
            raise SettingError("tuning needs a budget", do="give seconds, trials or both")
        if (self.seconds is not None and not self.seconds > 0) or (self.trials is not None and self.trials < 1):
            raise SettingError(
                f"a budget of {self} grants nothing", do="give more than 0 seconds and at least one trial"
            )

    def __str__(self) -> str:
        limits = ((self.seconds, "s"), (self.trials, "trials"))
        return " or ".join(f"{limit:g} {unit}" for limit, unit in limits if limit is not None)

    def share(self, seconds: float, trials: int) -> float:
        """How much of it is spent; from 1 on nothing is left."""
        return max(seconds / self.seconds if self.seconds else 0.0, trials / self.trials if self.trials else 0.0)
