"""recsys report: open a report, or run it again and see which numbers come out the same."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from api.cli.judging import evaluate
from api.cli.output import json_option, print_json, print_table, say
from api.cli.question import Question
from api.cli.session import Session
from recsys.errors import DataError


@click.group(epilog="Example: recsys report verify var/reports/20260131T120000Z")
def command() -> None:
    """Open a report, or run it again and compare."""


@command.command("open", short_help="Show a report in a browser.", epilog="Example: recsys report open")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def open_(session: Session, folder: Path | None) -> None:
    """Show report.html of FOLDER, by default of the newest report in home, in a browser."""
    page = (folder or _newest(session.settings.reports_folder)) / "report.html"
    if not page.is_file():
        raise DataError("there is no report here", where=str(page), do="name a folder that `recsys evaluate` wrote")
    say(str(page))
    if not webbrowser.open(page.resolve().as_uri()):
        say("no browser could be started here: open that file in one")


@command.command(
    short_help="Run a report's recipe again and compare.",
    epilog="Example: recsys report verify var/reports/20260131T120000Z",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    help="How far apart numbers may be and still agree; by default 0 on the machine and versions of the report, "
    "0.002 elsewhere.",
)
@json_option
@click.pass_obj
def verify(session: Session, folder: Path, tolerance: float | None, as_json: bool) -> None:
    """Run the recipe of a report again: same data, split, settings and seeds; and compare every number.

    On the same machine's CPU with the same versions every digit has to come out the same. Elsewhere processors round
    otherwise, and numbers agree within a tolerance. Files are looked for by the names they had: run it in the folder in
    which the report was made. Ends with status 1 when a number differs or the data is not the same.
    """
    from recsys.reports.report import as_report
    from recsys.reports.verify import TOLERANCE, differences, same_place

    written = read(folder)
    recipe = written.get("recipe") or {}
    if not recipe.get("question"):
        raise DataError("this report does not say how it was made", where=str(folder), do="run `recsys evaluate` again")
    question = Question.restored(recipe["question"])
    session.flags |= {"device": recipe["device"], "seed": question.seeds[0]}
    splits, catalogue = question.splits(session), question.catalogue(session)
    before, now_held = written["data"]["sha256"], splits[-1].data["sha256"]
    if before != now_held:
        raise DataError(
            "the data is not what the report was made from, so its numbers cannot be repeated",
            where=f"{question.source}: sha256 {now_held[:12]}..., in the report {before[:12]}...",
            do="bring back the data of the report",
        )
    evaluation = evaluate(session, splits, recipe["models"], recipe["metrics"], catalogue=catalogue)
    now = as_report(evaluation)
    elsewhere = same_place(written, now)
    if tolerance is None:
        tolerance = TOLERANCE if elsewhere or now["device"] != "cpu" else 0.0  # a GPU adds up in no fixed order
    findings = differences(written, now, tolerance)
    counts = {
        outcome: sum(one.outcome == outcome for one in findings)
        for outcome in ("same", "within tolerance", "different", "missing")
    }
    bad = counts["different"] + counts["missing"]
    if as_json:
        print_json({"tolerance": tolerance, "elsewhere": elsewhere, **counts, "verified": not bad})
    else:
        for line in elsewhere:
            say(f"not where the report was made: {line}")
        odd = [one for one in findings if one.outcome != "same"]
        if odd:
            rows = [(f.model, f.metric, f"{f.written:.6f}", _shown(f.now), f.outcome) for f in odd]
            print_table("", ("model", "metric", "report", "now", "outcome"), rows, numbers_from=2)
        click.echo(_summary(counts, len(findings), tolerance))
    if bad:
        raise click.exceptions.Exit(1)


def _summary(counts: Mapping[str, int], of: int, tolerance: float) -> str:
    if counts["same"] == of:
        return f"all {of:,} numbers are the same to the last digit"
    parts = [f"{counts['same']:,} of {of:,} numbers are the same to the last digit"]
    if tolerance:
        parts.append(f"{counts['within tolerance']:,} within {tolerance:g}")
    if counts["different"]:
        parts.append(f"{counts['different']:,} different")
    if counts["missing"]:
        parts.append(f"{counts['missing']:,} missing")
    return ", ".join(parts)


def read(folder: Path) -> dict[str, Any]:
    """report.json of a folder. DataError when there is none, or it is none."""
    file = folder / "report.json"
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            "there is no report here", where=str(file), do="name a folder that `recsys evaluate` wrote"
        ) from error
    except ValueError as error:
        raise DataError("the report is damaged: it is no JSON", where=f"{file}: {error}", do="make it again") from error
    if not isinstance(report, dict) or report.get("schema") != 1:
        raise DataError("this is no report of a schema known here", where=str(file), do="make it again")
    return report


def _newest(folder: Path) -> Path:
    found = sorted(file.parent for file in folder.glob("*/report.html"))
    if not found:
        raise DataError("there is no report yet", where=str(folder), do="run `recsys evaluate` first")
    return max(found, key=lambda one: (one / "report.html").stat().st_mtime)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"
