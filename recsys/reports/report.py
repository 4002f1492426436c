"""An evaluation as plain values: the content of report.json, and the rows of the terminal's table."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.evaluation.cutoffs import cutoffs
from recsys.interactions import iso_time

if TYPE_CHECKING:
    from recsys.evaluation.results import Evaluation, ModelResult
    from recsys.recommender import Progress

SCHEMA = 1
SHOWN = ("recall@20", "recall_capped@20", "recall_capped@50", "ndcg@20", "ndcg@100", "coverage@20")  # on a terminal
_LIBRARIES = ("numpy", "scipy", "torch", "implicit")
_FIRST_DATE = 31_536_000_000_000  # microseconds: 1971
_MOST_STEPS = 200  # of a learning curve


def as_report(
    evaluation: Evaluation, sections: Mapping[str, Any] | None = None, recipe: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The report of the contract, ready for JSON, and all that the page shows.

    sections: as `recsys.reports.further.further` makes them; recipe: plain values, what it takes to run it again.
    span: [earliest, latest] in ISO 8601, or None when not known, or when times are places in an order.
    """
    split = evaluation.split
    span = split.data.get("span")
    seeds = [one.seed for one in evaluation.splits]
    return {
        "schema": SCHEMA,
        "created": evaluation.created.isoformat(timespec="seconds"),
        "command": list(evaluation.command),
        "versions": versions(),
        "machine": machine(),
        "device": _resolved(evaluation.device),
        "seed": evaluation.seed,
        "seeds": list(dict.fromkeys(seeds)),
        "verdict": asdict(evaluation.verdict),
        "data": {**split.data, "span": [iso_time(moment) for moment in span] if span and _dated(span) else None},
        "protocol": {
            "name": split.name,
            "description": _description(evaluation),
            **split.facts,
            "users": len({user for one in evaluation.splits for user in one.users}),
            "left_out": _left_out(evaluation),
            **({"tuning": dict(evaluation.tuning)} if evaluation.tuning is not None else {}),
        },
        "checks": [asdict(check) for check in evaluation.checks],
        "models": {name: _model(evaluation, result) for name, result in evaluation.models.items()},
        "comparisons": [{**asdict(one), "detectable": _finite(one.detectable)} for one in evaluation.comparisons],
        "rounds": _rounds(evaluation),
        "cohorts": {},
        **(sections or {}),
        "recipe": dict(recipe or {}),
    }


def as_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """(header, rows): a row a model in the order asked, each metric's mean and half the width of its interval.

    Of many metrics those that fit a terminal; the report has all.
    """
    names = evaluation.metrics if len(evaluation.metrics) <= len(SHOWN) else tuple(
        one for one in evaluation.metrics if one in SHOWN or one == evaluation.main
    )  # fmt: skip
    header = ["model", *names, "fit s", "score s"]
    rows = []
    for name, result in evaluation.models.items():
        cells = []
        for one in names:
            interval = result.intervals[one]
            cells.append(f"{interval.mean:.4f} ±{(interval.high - interval.low) / 2:.4f}")
        rows.append([name, *cells, f"{result.fit_seconds:.1f}", f"{result.score_seconds:.1f}"])
    return header, rows


def versions() -> dict[str, str]:
    from recsys import __version__

    found = {"python": platform.python_version(), "recsys": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an installation that only evaluates needs neither torch nor implicit
    return found


def machine() -> dict[str, Any]:
    """What decides whether the same numbers can be expected to the last digit. threads: as OMP_NUM_THREADS has it."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cpus": cpus,
        "threads": int(threads) if threads.isdigit() else cpus,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def _dated(span: Sequence[int]) -> bool:
    """Are these moments, not places in an order (1, 2, 3, ... read as seconds after 1970)?"""
    return span[1] >= _FIRST_DATE


def _description(evaluation: Evaluation) -> str:
    """Who was asked about what; of several splits which they are, and the last in full."""
    if len(evaluation.splits) == 1:
        return evaluation.split.description
    *others, last = [split.label for split in evaluation.splits]
    return (
        f"{len(evaluation.splits)} splits, {', '.join(others)} and {last}, their people pooled. Of the last: "
        f"{evaluation.split.description}"
    )


def _left_out(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Of every split; of several each says which it is."""
    several = len(evaluation.splits) > 1
    return [
        {**asdict(one), "why": f"{split.label}: {one.why}" if several else one.why}
        for split in evaluation.splits
        for one in split.left_out
    ]


def _resolved(device: str) -> str:
    """Where "auto" trained: on CUDA only where torch, which some model loaded, has it."""
    torch = sys.modules.get("torch")
    return device if device != "auto" else "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def _model(evaluation: Evaluation, result: ModelResult) -> dict[str, Any]:
    return {
        "config": dict(result.last.config),
        "settings": dict(result.settings),
        "seconds": {"fit": round(result.fit_seconds, 3), "score": round(result.score_seconds, 3)},
        "parameters": result.last.parameters,
        "bytes": result.last.bytes,
        "peak_memory": result.peak_memory,
        "metrics": {one: asdict(found) for one, found in result.intervals.items() if math.isfinite(found.mean)},
        "curve": _curve(result.last.steps),
        "cutoffs": cutoffs(
            evaluation.splits, [fit.per_user for fit in result.fits], evaluation.seed, evaluation.persons
        ),
    }


def _curve(steps: Sequence[Progress]) -> dict[str, Any] | None:
    """The steps of a fit that say how good the model was by then; None where none does."""
    told = [step for step in steps if step.value is not None or step.loss is not None]
    if not told:
        return None
    kept = sorted({round(k) for k in np.linspace(0, len(told) - 1, min(len(told), _MOST_STEPS))})
    return {
        "metric": told[-1].metric,
        "steps": [
            {
                "step": told[k].step,
                "seconds": round(told[k].seconds, 3),
                "loss": _finite(told[k].loss),
                "value": _finite(told[k].value),
                "best": _finite(told[k].best),
            }
            for k in kept
        ],
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _rounds(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Every split by itself, where there are several."""
    if len(evaluation.splits) == 1:
        return []
    return [
        {
            "label": split.label,
            "users": len(split.users),
            "models": {
                name: {
                    one: float(np.nanmean(values))
                    for one, values in result.fits[k].per_user.values.items()
                    if np.isfinite(values).any()
                }
                for name, result in evaluation.models.items()
            },
        }
        for k, split in enumerate(evaluation.splits)
    ]
