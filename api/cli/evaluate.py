"""recsys evaluate: models compared on interactions none of them was trained on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.output import FitProgress, json_option, print_json, print_table, say
from api.cli.session import Session
from api.cli.together import first_of_all
from api.cli.tuning import TuningPlan, tuned, tuning_facts, tuning_options, tuning_plan
from recsys.errors import DataError
from recsys.feedback import EventRule, FeedbackWeights

if TYPE_CHECKING:
    from recsys.evaluation.run import Evaluation
    from recsys.evaluation.split import Split
    from recsys.interactions import Interactions

PROTOCOLS = ("strong", "fixed")


@click.command(
    epilog="Example: recsys evaluate --interactions ratings.csv --min-value 4 --models autoencoder,als,popularity"
)
@click.option(
    "--models",
    default="autoencoder,als,popularity",
    show_default=True,
    help="Names, separated by commas; a preset as autoencoder:mult-vae.",
)
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="strong: held-out users; fixed: --train and --test.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the split and of every model (RECSYS_SEED, 0).")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report; by default a new one in home.")
@click.option("--interactions", type=click.Path(path_type=Path), help="Evaluate on this file instead of the store.")
@click.option("--min-value", type=float, help="Count an interaction as liked when its value is at least this.")
@click.option("--min-user", type=click.IntRange(1), default=5, show_default=True, help="Leave out shorter histories.")
@click.option("--train", "train_file", type=click.Path(path_type=Path), help="Fixed split: the file to learn from.")
@click.option("--test", "test_file", type=click.Path(path_type=Path), help="Fixed split: the file to be found.")
@click.option("--metrics", default="", help="Names like recall@20,ndcg@100; by default the usual five.")
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), help="Where to train (RECSYS_DEVICE, auto).")
@tuning_options
@json_option
@click.pass_obj
def command(
    session: Session,
    models: str,
    protocol: str | None,
    seed: int | None,
    out: Path | None,
    interactions: Path | None,
    min_value: float | None,
    min_user: int,
    train_file: Path | None,
    test_file: Path | None,
    metrics: str,
    device: str | None,
    tune: int | None,
    tune_seconds: float | None,
    tune_metric: str | None,
    as_json: bool,
) -> None:
    """Train each model on part of the data, rank the full catalogue for people it never saw, and compare.

    Without --interactions and without --train/--test the store is used. The test part is opened only for the final
    numbers; every choice is made on validation data. --tune looks for each model's best settings there first. What it
    tried is kept in home: the same command goes on where it was interrupted, and a larger budget adds to it.
    """
    session.flags |= {"device": device, "seed": seed}
    if (train_file is None) != (test_file is None):
        raise click.UsageError("--train and --test go together")
    if protocol == "fixed" and train_file is None:
        raise click.UsageError("--protocol fixed needs --train FILE and --test FILE")
    if train_file is not None and (interactions is not None or protocol == "strong"):
        raise click.UsageError("--train/--test is a split of its own: leave out --interactions and --protocol strong")
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("names no model", param_hint="--models")
    plan = tuning_plan(tune, tune_seconds, tune_metric)

    from recsys.evaluation.metrics import metric
    from recsys.models import create

    asked = [name.strip() for name in metrics.split(",") if name.strip()]
    for name in asked:  # what is mistyped is found before a large file is read
        metric(name)
    for name in names:
        create(name, **session.settings.models.get(name, {}))
    first = first_of_all(session.settings.device)
    split = make_split(session, interactions, train_file, test_file, min_value, min_user)
    evaluation = evaluate(session, split, names, asked, plan)
    if not first:
        return
    folder = write(session, evaluation, out)
    if as_json:
        from recsys.reports.report import as_report

        print_json(as_report(evaluation))
    else:
        show(evaluation)
        say(f"report: {folder / 'report.json'}")


def evaluate(
    session: Session, split: Split, names: Sequence[str], metrics: Sequence[str] = (), plan: TuningPlan | None = None
) -> Evaluation:
    """Fit and score each model on one split, tuned where there is a plan for that, with progress told."""
    from recsys.evaluation.metrics import metric
    from recsys.evaluation.run import DEFAULT_METRICS, compare

    settings = session.settings
    models, tuning = {name: settings.models.get(name, {}) for name in names}, None
    if plan is not None:
        if split.validation is None:
            raise DataError("there are too few users to hold some out and tune by them", do="leave out --tune")
        for name in metrics:
            metric(name)  # a wrong name is found before an hour of tuning, not after
        found = tuned(session, plan, names, split.train, split.validation)
        models, tuning = {name: dict(one.settings) for name, one in found.items()}, tuning_facts(plan, found)
    bars: list[FitProgress] = []

    def watch(name: str) -> FitProgress:
        bars.append(FitProgress(name))
        return bars[-1]

    return compare(
        split,
        models,
        metrics or DEFAULT_METRICS,
        seed=settings.seed,
        device=settings.device,
        watch=watch,
        tuning=tuning,
        command=["recsys", *sys.argv[1:]],
    )


def write(session: Session, evaluation: Evaluation, out: Path | None) -> Path:
    from recsys.reports.write import write_report

    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return write_report(evaluation, out if out is not None else session.settings.reports_folder / name)


def show(evaluation: Evaluation) -> None:
    """The checks first, then the table."""
    from recsys.reports.report import as_table

    for check in evaluation.checks:
        if check.status != "ok":
            say(f"{check.status}: {check.name}: {check.detail}")
    header, rows = as_table(evaluation)
    print_table("", header, rows)


def make_split(
    session: Session,
    interactions: Path | None,
    train_file: Path | None,
    test_file: Path | None,
    min_value: float | None,
    min_user: int,
) -> Split:
    from recsys.evaluation import protocols
    from recsys.matrix import InteractionMatrix

    settings = session.settings
    if train_file is not None and test_file is not None:
        return protocols.fixed(_read(train_file), _read(test_file), settings.seed)
    data = _read(interactions) if interactions is not None else session.store().interactions()
    weights = settings.weights if min_value is None else _liked_from(data, min_value)
    matrix = InteractionMatrix.build(data, weights, min_user, settings.min_item)
    return protocols.strong(matrix, settings.seed, span=data.span())


def _read(path: Path) -> Interactions:
    from data import readers

    interactions, bad = readers.read_all(path)
    if bad:
        say(f"{path}: {len(bad):,} bad rows left out, the first on line {bad[0].line}: {bad[0].reason}")
    if not len(interactions):
        raise DataError("there is no row to evaluate on", where=str(path))
    return interactions


def _liked_from(data: Interactions, least: float) -> FeedbackWeights:
    """Every event type by one rule: the last value given counts as liked when it is at least ``least``."""
    rule = EventRule(transform="threshold", at=least, combine="last")
    return FeedbackWeights({str(label): rule for label in data.event.labels})
