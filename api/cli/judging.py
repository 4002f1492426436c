"""How the commands judge models: compared with progress told, made into a report, written, and shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.cli.output import FitProgress, print_table, say
from api.cli.question import Question
from api.cli.session import Session
from api.cli.tuning import TuningPlan, tuned, tuning_facts
from recsys.errors import DataError

if TYPE_CHECKING:
    from recsys.evaluation.catalogue import Catalogue
    from recsys.evaluation.results import Evaluation
    from recsys.evaluation.split import Split


def evaluate(
    session: Session,
    splits: Sequence[Split],
    models: Mapping[str, Mapping[str, Any]],
    metrics: Sequence[str] = (),
    plan: TuningPlan | None = None,
    catalogue: Catalogue | None = None,
    reports: Path | None = None,
) -> Evaluation:
    """Fit and score each model on each split, tuned on the first where there is a plan for that, with progress told.

    models: name -> settings; a plan starts from the session's. reports: the folder of the reports that may have looked
    at this test part before.
    """
    from recsys.evaluation.run import compare
    from recsys.evaluation.split import asked_about
    from recsys.reports.earlier import earlier_looks

    tuning = None
    if plan is not None:
        first = splits[0]
        if first.validation is None:
            raise DataError("there are too few users to hold some out and tune by them", do="leave out --tune")
        found = tuned(session, plan, list(models), first.train, first.validation)
        models, tuning = {name: dict(one.settings) for name, one in found.items()}, tuning_facts(plan, found)
    bars: list[FitProgress] = []

    def watch(name: str) -> FitProgress:
        bars.append(FitProgress(name))
        return bars[-1]

    return compare(
        splits,
        models,
        metrics,
        device=session.settings.device,
        watch=watch,
        tuning=tuning,
        catalogue=catalogue,
        command=["recsys", *sys.argv[1:]],
        earlier=None if reports is None else lambda asked: earlier_looks(reports, asked_about(asked), models),
    )


def report_of(
    evaluation: Evaluation, question: Question | None, cohorts: Sequence[str] = (), quick: bool = False
) -> dict[str, Any]:
    """The whole report as plain values, further sections and recipe included."""
    from recsys.evaluation.split import asked_about
    from recsys.reports.further import further
    from recsys.reports.report import as_report

    recipe: dict[str, Any] = {
        "question": None if question is None else question.plain(),
        "models": {name: dict(result.settings) for name, result in evaluation.models.items()},
        "metrics": list(evaluation.metrics),
        "device": evaluation.device,
        "test_sha256": asked_about(evaluation.splits),
    }
    bar = FitProgress("bottleneck widths")
    found = further(evaluation, cohorts=cohorts, quick=quick, tell=say, on_progress=bar)
    bar.close()
    report = as_report(evaluation, found, recipe)
    return {**report, "data": {**report["data"], "source": question.source if question is not None else "the store"}}


def write(session: Session, evaluation: Evaluation, out: Path | None, report: Mapping[str, Any]) -> Path:
    from recsys.reports.write import write_report

    session.check_nobody_left()
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return write_report(evaluation, out if out is not None else session.settings.reports_folder / name, report)


def show(evaluation: Evaluation) -> None:
    """The verdict and the checks first, then the table."""
    from recsys.reports.report import as_table

    say(evaluation.verdict.text)
    for check in evaluation.checks:
        if check.status != "ok":
            named = f"warning: {check.name}?" if check.status == "warn" else f"failed: {check.name}:"
            say(f"{named} {check.detail}")
    header, rows = as_table(evaluation)
    print_table("", header, rows)
    say("means over people, ± half of a 95% interval; more in the report")
