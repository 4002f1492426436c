"""Reports: the evaluations kept in home, newest first, and each as its report.json."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response

from api import operations
from api.auth import Policy, policy
from api.context import context
from api.describe import describes
from api.errors import Refused
from api.resources.fields import Page
from api.resources.parse import query

blueprint = Blueprint("reports", __name__, url_prefix="/v1/reports")

MAX_REPORT = 64 * 1024 * 1024  # bytes
_ID = re.compile(operations.REPORT_ID)  # checked before it becomes a path


@blueprint.get("")
@policy(Policy.READ)
@describes(operations.ReportList, query=Page)
def list_reports() -> dict[str, Any]:
    """The evaluations kept, newest first.

    Those of `recsys evaluate` without --out. One that cannot be read is listed with what is wrong in "fault".
    """
    asked = query(Page)
    folder = context().settings.reports_folder
    found = sorted(entry.name for entry in folder.iterdir() if _ID.fullmatch(entry.name)) if folder.is_dir() else []
    page = found[::-1][asked.offset : asked.offset + asked.n]
    return {"total": len(found), "reports": [{"id": id_, **_summary(folder / id_)} for id_ in page]}


@blueprint.get("/<report>")
@policy(Policy.READ)
@describes(operations.Report, statuses={404: "No such report.", 409: "The report is damaged."})
def get_report(report: str) -> Response:
    """One evaluation: its report.json as it is."""
    folder = context().settings.reports_folder / report
    if not _ID.fullmatch(report) or not folder.is_dir():
        raise Refused(404, "no-such-report", f"there is no report {report[:80]!r}")
    fault = _summary(folder)["fault"]
    if fault is not None:
        raise Refused(409, "damaged-report", f"the report is damaged: {fault}")
    try:
        content = (folder / "report.json").read_bytes()
    except OSError as error:  # removed since then
        raise Refused(404, "no-such-report", f"there is no report {report!r}") from error
    return Response(content, mimetype="application/json")


def _summary(folder: Path) -> dict[str, Any]:
    """created, models and verdict of a report, read once for each state of its file; fault: why it cannot be read."""
    file = folder / "report.json"
    try:
        state = file.stat()
    except OSError:
        return _damaged("report.json is missing")
    if not file.is_file():
        return _damaged("report.json is no file")
    if state.st_size > MAX_REPORT:
        return _damaged(f"report.json is larger than the limit of {MAX_REPORT:,} bytes")
    return _read(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1000)
def _read(file: Path, changed: int, size: int) -> dict[str, Any]:
    try:
        report = orjson.loads(file.read_bytes())
    except OSError as error:
        return _damaged(f"report.json cannot be read: {error.strerror}")
    except ValueError:
        return _damaged("report.json is not JSON")
    if not isinstance(report, dict) or report.get("schema") != 1:
        return _damaged("report.json is of no schema known here")
    created, models, verdict = report.get("created"), report.get("models"), report.get("verdict")
    text = verdict.get("text") if isinstance(verdict, dict) else None
    return {
        "created": created if isinstance(created, str) else None,
        "models": sorted(models) if isinstance(models, dict) else [],
        "verdict": text if isinstance(text, str) else None,
        "fault": None,
    }


def _damaged(why: str) -> dict[str, Any]:
    return {"created": None, "models": [], "verdict": None, "fault": why}
