"""An evaluation as plain values: the content of report.json, and the rows of the terminal's table."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from recsys.interactions import iso_time

if TYPE_CHECKING:
    from recsys.evaluation.run import Evaluation, ModelResult

SCHEMA = 1
_LIBRARIES = ("numpy", "scipy", "torch", "implicit")


def as_report(evaluation: Evaluation) -> dict[str, Any]:
    """The report of the contract, ready for JSON. span: [earliest, latest] in ISO 8601, or None when not known."""
    data = evaluation.split.data
    span = data.get("span")
    return {
        "schema": SCHEMA,
        "created": evaluation.created.isoformat(timespec="seconds"),
        "command": list(evaluation.command),
        "versions": _versions(),
        "device": evaluation.device,
        "seed": evaluation.seed,
        "data": {**data, "span": span and [iso_time(moment) for moment in span]},
        "protocol": {
            "name": evaluation.split.name,
            **evaluation.split.facts,
            **({"tuning": dict(evaluation.tuning)} if evaluation.tuning is not None else {}),
        },
        "checks": [asdict(check) for check in evaluation.checks],
        "models": {name: _model(result) for name, result in evaluation.models.items()},
        "comparisons": [asdict(comparison) for comparison in evaluation.comparisons],
        "cohorts": {},
    }


def as_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """(header, rows): a row a model in the order asked, each metric's mean and half the width of its interval."""
    header = ["model", *evaluation.metrics, "fit s", "score s"]
    rows = []
    for name, result in evaluation.models.items():
        cells = []
        for one in evaluation.metrics:
            interval = result.intervals[one]
            cells.append(f"{interval.mean:.4f} ±{(interval.high - interval.low) / 2:.4f}")
        rows.append([name, *cells, f"{result.fit_seconds:.1f}", f"{result.per_user.score_seconds:.1f}"])
    return header, rows


def _model(result: ModelResult) -> dict[str, Any]:
    return {
        "config": dict(result.config),
        "seconds": {"fit": round(result.fit_seconds, 3), "score": round(result.per_user.score_seconds, 3)},
        "parameters": result.parameters,
        "metrics": {one: asdict(interval) for one, interval in result.intervals.items()},
    }


def _versions() -> dict[str, str]:
    from recsys import __version__

    found = {"python": platform.python_version(), "recsys": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an installation that only evaluates needs neither torch nor implicit
    return found
