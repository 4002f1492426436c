"""Journal: the trials of one search, each written down as it happens, so that a killed run goes on where it was.

The only file that imports Optuna (Akiba et al. 2019): its Gaussian-process sampler, for trials are few and dear, its
median pruner and its file format.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from recsys.errors import AlreadyRunning, DataError
from recsys.models.space import Choice, Range, Space

_ABOUT = "about"
_FIRST_TRIALS = 3  # the start and two near it; then the sampler has something to go by
_NEAR = 0.2  # of each range: the standard deviation of those two
_UNPRUNED_TRIALS = 3  # before the pruner has a median to go by
_DIGITS = 4  # significant ones of a sampled number: more do not matter, and these can be copied

optuna.logging.disable_default_handler()  # who searches says what happens, in its own words
optuna.logging.set_verbosity(optuna.logging.ERROR)


Outcome = Literal["done", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A settled trial. value: the last one told where it was pruned, None where it failed."""

    outcome: Outcome
    settings: Mapping[str, Any]
    value: float | None
    seconds: float


class Running:
    """A trial under way: told of the fit's values, then settled once. seconds: what it took."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial, settings: Mapping[str, Any]) -> None:
        self._study, self._trial, self.settings = study, trial, settings
        self._step, self._latest = 0, math.nan

    def report(self, step: int, value: float) -> None:
        """A step told before is not told again: a fit may go through several phases, each counting from 1."""
        if step > self._step:
            self._step, self._latest = step, value
            self._trial.report(value, step)

    def hopeless(self) -> bool:
        """Is its best value so far below the median of the other trials' at this step (Optuna's median rule)?"""
        return self._trial.should_prune()

    def done(self, value: float, seconds: float) -> None:
        self._settle("done", value, seconds)

    def pruned(self, seconds: float) -> None:
        self._settle("pruned", self._latest, seconds)

    def failed(self, seconds: float) -> None:
        """The sampler is told the lowest value there is, so that it keeps away from there."""
        values = [trial.value for trial in self._study.get_trials(deepcopy=False) if trial.value is not None]
        self._settle("failed", min(values, default=0.0), seconds)

    def broken_off(self, seconds: float) -> None:
        """Not settled: its seconds count, and it is run again when the search goes on."""
        self._trial.set_user_attr("seconds", round(seconds, 3))
        self._study.tell(self._trial, state=TrialState.FAIL)

    def _settle(self, outcome: Outcome, value: float, seconds: float) -> None:
        """For Optuna each is complete: its sampler would learn nothing from one it knows as pruned or failed."""
        self._trial.set_user_attr("outcome", outcome)
        self._trial.set_user_attr("seconds", round(seconds, 3))
        self._study.tell(self._trial, value)


class Journal:
    """An open search. One trial at a time: the one a killed process left running is run again, before any other."""

    def __init__(self, study: optuna.Study, space: Space, start: Mapping[str, Any], seed: int) -> None:
        self._study, self._space, self._start, self._seed = study, space, start, seed
        self._distributions = {name: _distribution(one, start[name]) for name, one in space.items()}
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)

    def settled(self) -> list[Trial]:
        return [_settled(trial) for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]

    def spent(self) -> float:
        """Seconds that trials took so far, broken-off ones among them."""
        return sum(trial.user_attrs.get("seconds", 0.0) for trial in self._study.get_trials(deepcopy=False))

    def ask(self) -> Running:
        """The next trial: what was broken off, or the start itself, or settings near it, or what the sampler says.

        Chance depends on the number of settled trials, so an interrupted search asks what an uninterrupted one asks.
        """
        trials = self._study.get_trials(deepcopy=False)
        n_settled = sum(trial.state == TrialState.COMPLETE for trial in trials)
        last = trials[-1] if trials else None
        if last is not None and last.state == TrialState.FAIL:
            self._study.enqueue_trial({**last.system_attrs.get("fixed_params", {}), **last.params})
        elif last is not None and last.state == TrialState.WAITING:
            pass  # killed between the two steps of asking
        elif n_settled < _FIRST_TRIALS:
            self._study.enqueue_trial(self._near_start(_NEAR if n_settled else 0.0, n_settled))
        seed = int(np.random.SeedSequence([self._seed, n_settled]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=0)
        trial = self._study.ask(self._distributions)
        settings = {name: _value(one, trial.params[name]) for name, one in self._space.items()}
        if n_settled == 0:
            settings = {name: self._start[name] for name in self._space}
        trial.set_user_attr("settings", settings)
        return Running(self._study, trial, settings)

    def _near_start(self, deviation: float, n: int) -> dict[str, Any]:
        """The nth place about as far from the start; with none, the place in the space that is nearest to it."""
        rng = np.random.default_rng([self._seed, n])
        return {name: _near(one, self._start[name], deviation, rng) for name, one in self._space.items()}


@contextmanager
def open_journal(
    path: Path, about: Mapping[str, Any], space: Space, start: Mapping[str, Any], seed: int
) -> Iterator[Journal]:
    """The search kept in ``path``, made when there is none; nobody else can open it meanwhile.

    about: plain values that say what is searched, kept in the file. start: the settings the model starts from, at least
    those of the space. Raises AlreadyRunning when another process has it open, DataError for a file that is damaged, is
    about something else or cannot be written.
    """
    about = json.loads(json.dumps(about))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DataError(
            f"the tuning journal cannot be opened: {error.strerror}", where=str(path), do="check the folder"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                "another process is tuning this", where=str(path), do="wait for it, or try again later"
            ) from error
        _check_lines(path)
        try:
            journal = Journal(_study(path, about), space, start, seed)
        except (LookupError, ValueError, TypeError, AttributeError, AssertionError, OptunaError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}") from error
        yield journal
    finally:
        os.close(descriptor)


def _study(path: Path, about: Mapping[str, Any]) -> optuna.Study:
    backend = JournalFileBackend(str(path), lock_obj=cast(Any, _Held()))
    study = optuna.create_study(
        study_name="tuning",
        storage=optuna.storages.JournalStorage(backend),
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
        load_if_exists=True,
    )
    known = study.user_attrs.get(_ABOUT)
    if known is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_ABOUT, about)
    elif known != about:
        differing = [key for key in about if (known or {}).get(key) != about[key]]
        raise DataError(
            f"the tuning journal is about another search: {', '.join(differing)} differ",
            where=str(path),
            do="remove the file to search anew",
        )
    return study


class _Held:
    """The lock Optuna asks for at every write: the whole file is ours already, by a lock that dies with its holder."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _check_lines(path: Path) -> None:
    """DataError, with the line, unless each is a JSON object. What a kill left half written at the end is cut off."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    for number, line in enumerate(content[:whole].splitlines(), 1):
        try:
            if not isinstance(json.loads(line), dict):
                raise _damaged(path, f"line {number} is no JSON object")
        except ValueError as error:
            raise _damaged(path, f"line {number}: {error}") from error


def _damaged(path: Path, why: str) -> DataError:
    return DataError("the tuning journal is damaged", where=f"{path}: {why}", do="remove the file to search anew")


def _settled(trial: FrozenTrial) -> Trial:
    known = trial.user_attrs
    value = None if known["outcome"] == "failed" else trial.value
    return Trial(known["outcome"], known["settings"], value, known["seconds"])


def _distribution(one: Range | Choice, start: Any) -> BaseDistribution:
    if isinstance(one, Choice):  # as JSON, for Optuna takes no lists
        return CategoricalDistribution(tuple(dict.fromkeys(json.dumps(value) for value in (*one.options, start))))
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _value(one: Range | Choice, sampled: Any) -> Any:
    if isinstance(one, Choice):
        return json.loads(sampled)
    return sampled if one.whole else float(f"{sampled:.{_DIGITS}g}")


def _near(one: Range | Choice, start: Any, deviation: float, rng: np.random.Generator) -> Any:
    """A value as Optuna takes it. deviation: standard, as a share of the range. A start that is no number: anywhere."""
    if isinstance(one, Choice):
        chosen = one.options[rng.integers(len(one.options))] if rng.random() < deviation else start
        return json.dumps(chosen)
    low, high = (math.log(one.low), math.log(one.high)) if one.log else (float(one.low), float(one.high))
    if isinstance(start, int | float):
        clipped = min(max(start, one.low), one.high)
        place = (math.log(clipped) if one.log else clipped) + deviation * (high - low) * rng.standard_normal()
    else:
        place = rng.uniform(low, high)
    place = min(max(place, low), high)
    value = min(max(math.exp(place) if one.log else place, one.low), one.high)  # once more: exp(log(x)) may miss x
    return round(value) if one.whole else float(value)
