"""--tune, as evaluate and train share it: its options, the search of each model with progress told, what it found."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from api.cli.output import say
from api.cli.session import Session

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from recsys.recommender import Holdout
    from recsys.tuning.budget import Budget
    from recsys.tuning.search import TunedConfig, TuningStep

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Trials(click.ParamType):
    """A whole number above 0, or 0 for the option given alone."""

    name = "number of trials"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "":
            return 0
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is not a whole number of at least 1", param, ctx)
        return int(value)


def tuning_options(command: _Command) -> _Command:
    """--tune, --tune-seconds and --tune-metric, to be read by ``tuning_plan``."""
    options = (
        click.option(
            "--tune",
            type=_Trials(),
            is_flag=False,
            flag_value="",
            metavar="[TRIALS]",
            help="Tune each model first, all with the same budget: TRIALS each or, without a number, 120 seconds each.",
        ),
        click.option(
            "--tune-seconds", type=click.FloatRange(0, min_open=True), help="The budget of each model in seconds."
        ),
        click.option("--tune-metric", metavar="METRIC", help="What to tune for, such as recall@20; else ndcg@100."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """How to tune: the budget that each model has, and the metric to tune for."""

    budget: Budget
    metric: str


def tuning_plan(trials: int | None, seconds: float | None, metric: str | None) -> TuningPlan | None:
    """What the options ask for; None where they ask for no tuning."""
    if trials is None and seconds is None:
        if metric is not None:
            raise click.UsageError("--tune-metric goes with --tune")
        return None
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise click.UsageError("--tune runs in one process: tune first, then train what it prints under torchrun")
    from recsys.evaluation.metrics import metric_to_choose_by
    from recsys.tuning.budget import DEFAULT_SECONDS, Budget
    from recsys.tuning.tune import METRIC

    limit = DEFAULT_SECONDS if seconds is None and not trials else seconds
    return TuningPlan(Budget(limit, trials or None), metric_to_choose_by(metric or METRIC).name)


def tuned(
    session: Session,
    plan: TuningPlan,
    names: Sequence[str],
    train: csr_matrix,
    holdout: Holdout,
    fixed: Mapping[str, Any] | None = None,
) -> dict[str, TunedConfig]:
    """Each model tuned with the plan's budget, starting from the session's settings of it; told as it goes.

    train, holdout: as `recsys.tuning.tune.tune` takes them. fixed: settings that are not to be touched.
    """
    from recsys.models import create
    from recsys.tuning.tune import tune

    settings = session.settings
    for name in names:  # a wrong setting of the last model is found before the first is tuned
        create(name, **{**settings.models.get(name, {}), **(fixed or {})})
    found = {}
    for name in names:
        progress = TuningProgress()
        found[name] = tune(
            name,
            train,
            holdout,
            plan.budget,
            settings.home / "tuning",
            start=settings.models.get(name, {}),
            fixed=fixed,
            metric=plan.metric,
            seed=settings.seed,
            device=settings.device,
            watch=progress,
        )
        progress.close()
        for line in _summary(found[name]):
            say(line)
    return found


def tuning_facts(plan: TuningPlan, found: Mapping[str, TunedConfig]) -> dict[str, Any]:
    """What was granted and what it gave, for the report."""
    return {
        "metric": plan.metric,
        "budget": asdict(plan.budget),
        "models": {name: one.facts() for name, one in found.items() if one.trials},
    }


class TuningProgress:
    """Shows a search: one bar on a terminal; elsewhere a plain line for every new best, and one every few seconds."""

    def __init__(self, every: float = 5.0) -> None:
        self.every = every
        self.last = time.monotonic()
        self.drawn = False

    def __call__(self, step: TuningStep) -> None:
        now, terminal = time.monotonic(), sys.stderr.isatty()
        news = step.settled is not None and step.value == step.best
        if not news and now - self.last < (0.1 if terminal else self.every):
            return
        self.last = now
        if terminal:
            filled = int(24 * min(step.share, 1.0))
            bar = f"[{'#' * filled}{'.' * (24 - filled)}] {_line(step)}"
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be drawn over
            click.echo(f"\r\x1b[2K{bar[:width]}", err=True, nl=False)
            self.drawn = True
        else:
            say(_line(step))

    def close(self) -> None:
        if self.drawn:
            click.echo("", err=True)


def _line(step: TuningStep) -> str:
    text = f"{step.model}: tuning, trial {step.trial}"
    if step.value is not None:
        text += f"  {step.metric} {step.value:.4f}"
    if step.settled is not None and step.settled.outcome != "done":
        text += f" {step.settled.outcome}"
    if step.best is not None:
        text += f" (best {step.best:.4f})"
    return f"{text}  {step.seconds:.0f} s, budget {step.budget}"


def _summary(found: TunedConfig) -> list[str]:
    """What was found, and the settings as a piece of recsys.toml."""
    if found.value is None or found.start_value is None:
        return [f"{found.model}: nothing to tune"]
    counts = ((found.earlier, "from an earlier run"), (found.pruned, "pruned"), (found.failed, "failed"))
    aside = ", ".join(f"{count} {what}" for count, what in counts if count)
    return [
        f"{found.model}: {found.metric} {found.value:.4f} on held-out histories, {found.start_value:.4f} at the start; "
        f"{found.trials} trials{f' ({aside})' if aside else ''} in {found.seconds:.0f} s. To keep it, in recsys.toml:",
        f"[models.{found.model}]",
        *(f"{name} = {json.dumps(value)}" for name, value in found.chosen.items()),
    ]
