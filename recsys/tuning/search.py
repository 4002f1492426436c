"""Search: trial after trial of one model's settings, judged on held-out rows, until the budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recsys.errors import TrainingError
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.split import Split
from recsys.models import create
from recsys.recommender import FitOptions, Progress
from recsys.tuning.budget import Budget

if TYPE_CHECKING:
    from recsys.tuning.journal import Journal, Running, Trial

_UNPRUNED_SHARE = 0.2  # of a fit's steps: what a fit is worth does not show in its first ones


@dataclass(frozen=True, slots=True)
class TuningStep:
    """One moment of a search, for whoever watches it.

    trial: the one under way or just settled, from 1. share: of the budget that is spent, seconds: spent so far. value:
    the newest value of the trial, best: of all trials so far, None where there is none. settled: given once, at the
    trial's end.
    """

    model: str
    metric: str
    trial: int
    seconds: float
    budget: Budget
    share: float
    value: float | None
    best: float | None
    settled: Trial | None


@dataclass(frozen=True, slots=True)
class TunedConfig:
    """What a search found. settings: for ``create``, what was fixed included; chosen: those of them searched.

    value: of them on the held-out rows; start_value: of the settings the search started from. Both None where the
    model has nothing to tune. trials: settled, of which earlier ones an earlier run made; seconds: of all of them.
    """

    model: str
    metric: str
    settings: Mapping[str, Any]
    chosen: Mapping[str, Any]
    value: float | None
    start_value: float | None
    trials: int
    pruned: int
    failed: int
    earlier: int
    seconds: float

    def facts(self) -> dict[str, Any]:
        """For the report: what was done for this model, in plain values."""
        counts = {"trials": self.trials, "pruned": self.pruned, "failed": self.failed}
        values = {"value": self.value, "start_value": self.start_value}
        return {**counts, "seconds": round(self.seconds, 3), **values, "chosen": dict(self.chosen)}


class _Pruned(Exception):
    """Carries a hopeless trial out of ``fit``."""


class _OutOfTime(Exception):
    """Carries a trial out of ``fit`` when the budget is spent."""


@dataclass(frozen=True, eq=False)
class Search:
    """One run of one search: what stays the same from trial to trial."""

    model: str
    metric: str
    split: Split
    budget: Budget
    settings: Mapping[str, Any]
    options: FitOptions
    journal: Journal
    watch: Callable[[TuningStep], None]

    def run(self) -> TunedConfig:
        settled = self.journal.settled()
        earlier = len(settled)
        while not settled or self.budget.share(self.journal.spent(), len(settled)) < 1:
            self._next(settled)
            settled = self.journal.settled()
        best = max((trial for trial in settled if trial.outcome == "done"), key=_worth)
        outcomes = [trial.outcome for trial in settled]
        return TunedConfig(
            model=self.model,
            metric=self.metric,
            settings={**self.settings, **best.settings},
            chosen=dict(best.settings),
            value=best.value,
            start_value=settled[0].value,
            trials=len(settled),
            pruned=outcomes.count("pruned"),
            failed=outcomes.count("failed"),
            earlier=earlier,
            seconds=self.journal.spent(),
        )

    def _next(self, settled: Sequence[Trial]) -> None:
        """One trial from asking to settling; TrainingError goes on to the caller only from the first."""
        first, before = not settled, self.journal.spent()
        best = max((_worth(trial) for trial in settled if trial.outcome == "done"), default=None)
        started = time.perf_counter()
        running = self.journal.ask()

        def tell(value: float | None, last: Trial | None = None) -> None:
            seconds = before + time.perf_counter() - started
            share = self.budget.share(seconds, len(settled) + (last is not None))
            top = best
            if value is not None and last is not None and last.outcome == "done":
                top = value if best is None else max(best, value)
            number = len(settled) + 1
            self.watch(TuningStep(self.model, self.metric, number, seconds, self.budget, share, value, top, last))

        def listen(progress: Progress) -> None:
            if progress.value is not None:
                running.report(progress.step, progress.value)
            tell(progress.value)
            if first or progress.step >= progress.steps:
                return
            if self.budget.seconds is not None and before + time.perf_counter() - started >= self.budget.seconds:
                raise _OutOfTime
            if progress.value is not None and progress.step >= _UNPRUNED_SHARE * progress.steps and running.hopeless():
                raise _Pruned

        try:
            value = self._judge(running, replace(self.options, on_progress=listen))
        except _OutOfTime:
            running.broken_off(time.perf_counter() - started)
            return
        except _Pruned:
            running.pruned(time.perf_counter() - started)
        except TrainingError:
            if first:
                raise
            running.failed(time.perf_counter() - started)
        else:
            running.done(value, time.perf_counter() - started)
        last = self.journal.settled()[-1]
        tell(last.value, last)

    def _judge(self, running: Running, options: FitOptions) -> float:
        model = create(self.model, **{**self.settings, **running.settings}).fit(self.split.train, options)
        return float(evaluate(model, self.split, [self.metric]).values[self.metric].mean())


def _worth(trial: Trial) -> float:
    return -math.inf if trial.value is None else trial.value
