"""recsys evaluate: models compared on interactions none of them was trained on."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.import_ import parse_columns
from api.cli.judging import evaluate, report_of, show, write
from api.cli.output import json_option, print_json, say
from api.cli.question import PROTOCOLS, Question
from api.cli.session import Session
from api.cli.together import first_of_all
from api.cli.tuning import tuning_options, tuning_plan

ALL = "autoencoder,als,ease,svd,popularity"


@click.command(
    epilog="Example: recsys evaluate --interactions ratings.csv --min-value 4 --models autoencoder,als,popularity"
)
@click.option(
    "--models",
    default="autoencoder,als,popularity",
    show_default=True,
    help=f"Names, separated by commas, or all ({ALL}); a preset as autoencoder:mult-vae.",
)
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    help="strong: held-out users; leave-last-out: everybody's last item; temporal: all that came after one moment; "
    "rolling: the same at several moments; fixed: --train and --test.",
)
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0),
    multiple=True,
    help="Seed of the split and of every model (RECSYS_SEED, 0). Several times: all of them, pooled.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report; by default a new one in home.")
@click.option("--interactions", type=click.Path(path_type=Path), help="Evaluate on this file instead of the store.")
@click.option("--columns", help="Which column of a file holds what, as in `recsys import`.")
@click.option("--items", type=click.Path(path_type=Path), help="File of items: titles and categories for the report.")
@click.option("--users", type=click.Path(path_type=Path), help="File of users: attributes for --cohort.")
@click.option("--min-value", type=float, help="Count an interaction as liked when its value is at least this.")
@click.option("--min-user", type=click.IntRange(1), default=5, show_default=True, help="Leave out shorter histories.")
@click.option("--train", "train_file", type=click.Path(path_type=Path), help="Fixed split: the file to learn from.")
@click.option("--test", "test_file", type=click.Path(path_type=Path), help="Fixed split: the file to be found.")
@click.option("--at", help="temporal: the moment, as 2026-01-31T12:00:00Z; by default a tenth comes after it.")
@click.option("--windows", type=click.IntRange(2, 50), default=3, show_default=True, help="rolling: how many moments.")
@click.option("--metrics", default="", help="Names like recall@20,ndcg@100; by default all the usual ones.")
@click.option("--cohort", "cohorts", multiple=True, help="Also by this attribute of users or items, or by category.")
@click.option("--quick", is_flag=True, help="Leave out of the report what takes long: map, groups, bottleneck widths.")
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), help="Where to train (RECSYS_DEVICE, auto).")
@tuning_options
@json_option
@click.pass_obj
def command(
    session: Session,
    models: str,
    protocol: str | None,
    seeds: tuple[int, ...],
    out: Path | None,
    interactions: Path | None,
    columns: str | None,
    items: Path | None,
    users: Path | None,
    min_value: float | None,
    min_user: int,
    train_file: Path | None,
    test_file: Path | None,
    at: str | None,
    windows: int,
    metrics: str,
    cohorts: tuple[str, ...],
    quick: bool,
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

    The report is a folder: report.html for people, report.json for programs, per_user.parquet and
    recommendations.parquet for further questions. `recsys report verify FOLDER` runs it again and compares.
    """
    seeds = tuple(dict.fromkeys(seeds))
    session.flags |= {"device": device, "seed": seeds[0] if seeds else None}
    if (train_file is None) != (test_file is None):
        raise click.UsageError("--train and --test go together")
    if protocol == "fixed" and train_file is None:
        raise click.UsageError("--protocol fixed needs --train FILE and --test FILE")
    if train_file is not None and (interactions is not None or protocol not in (None, "fixed")):
        raise click.UsageError("--train/--test is a split of its own: leave out --interactions and --protocol")
    if train_file is not None and min_value is not None:
        raise click.UsageError("--min-value changes nothing in --train/--test: leave it out")
    if at is not None and protocol != "temporal":
        raise click.UsageError("--at goes with --protocol temporal")
    if seeds[1:] and protocol == "rolling":
        raise click.UsageError("--protocol rolling has several windows: give one --seed")
    plan = tuning_plan(tune, tune_seconds, tune_metric)
    if plan is not None and seeds[1:]:
        raise click.UsageError("--tune goes with one --seed: people of one seed's test part are in another's training")
    names = [name.strip() for name in (ALL if models == "all" else models).split(",") if name.strip()]
    if not names:
        raise click.BadParameter("names no model", param_hint="--models")

    from recsys.evaluation.cohorts import check_asked
    from recsys.evaluation.metrics import check_known, metric
    from recsys.evaluation.run import main_metric
    from recsys.models import create
    from recsys.reports.write import check_free

    if out is not None:
        check_free(out)  # before minutes of training
    asked = [name.strip() for name in metrics.split(",") if name.strip()]
    for name in asked:  # what is mistyped is found before a large file is read
        metric(name)
    if asked:
        main_metric(asked)
    for name in names:
        create(name, **session.settings.models.get(name, {}))
    question = Question(
        protocol="fixed" if train_file is not None else protocol or "strong",
        seeds=seeds or (session.settings.seed,),
        interactions=_text(interactions),
        train=_text(train_file),
        test=_text(test_file),
        items=_text(items),
        users=_text(users),
        columns=parse_columns(columns),
        min_value=min_value,
        min_user=min_user,
        min_item=session.settings.min_item,
        at=at,
        windows=windows,
    ).at_home(session)
    first = first_of_all(session.settings.device)
    splits, catalogue = question.splits(session), question.catalogue(session)
    check_asked(cohorts, catalogue)
    check_known(asked, catalogue)  # before minutes of tuning
    folder = session.settings.reports_folder if out is None else out.parent
    models_asked = {name: session.settings.models.get(name, {}) for name in names}
    evaluation = evaluate(session, splits, models_asked, asked, plan, catalogue, folder)
    if not first:
        return
    report = report_of(evaluation, question, cohorts, quick)
    where = write(session, evaluation, out, report)
    if as_json:
        print_json(report)
    else:
        show(evaluation)
        say(f"report: {where / 'report.html'}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
