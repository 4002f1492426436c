"""write_report: what a night did and decided, as a page for people and the same for programs; it names no user."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from recsys.errors import StoreError
from recsys.interactions import iso_time
from recsys.serving.versions import parts_of

NOTHING = "\N{EN DASH}"
_STATUS = {"promote": "ok", "keep": "ok", "inconclusive": "warn", "refused": "fail"}
_HEAD = {
    "promote": "a new version is live",
    "keep": "the live version stays",
    "inconclusive": "too close to call: the live version stays",
    "refused": "the new version was refused",
}


def head(verdict: Mapping[str, Any]) -> str:
    """A verdict in a few words."""
    if verdict["champion"] is None and verdict["decision"] != "promote":
        return "there was no version before, and this one is not good enough to go live"
    return _HEAD[verdict["decision"]]


def as_report(night: Mapping[str, Any]) -> dict[str, Any]:
    """report.json: the facts of a night, with what reports of every kind have: schema, created, models, verdict."""
    verdicts = night["verdicts"]
    text = " ".join(f"{name}: {head(one)}." for name, one in verdicts.items())
    return {
        "schema": 1,
        "kind": "night",
        "created": datetime.fromtimestamp(night["begun"], UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "models": {name: {"challenger": one["challenger"]} for name, one in verdicts.items()},
        "verdict": {"text": text},
        **night,
    }


def page(report: Mapping[str, Any]) -> str:
    """report.html, from the content of report.json alone; no script, nothing from outside."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("recsys.night"), PackageLoader("recsys.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, change=_change, when=iso_time, made=_made, seconds=_seconds, share="{:.1%}".format
    )
    verdicts = report["verdicts"].values()
    worst = max((_STATUS[one["decision"]] for one in verdicts), key=("ok", "warn", "fail").index, default="warn")
    return environment.get_template("night.html").render(
        report=report, worst=worst, status=_STATUS, head=head, total=sum(one["seconds"] for one in report["steps"])
    )


def write_report(night: Mapping[str, Any], folder: Path) -> Path:
    """report.html and report.json in a folder, whole or not at all, in place of one of an interrupted attempt.

    Returns the folder. StoreError where it cannot be written.
    """
    report = as_report(night)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
            (unfinished / "report.json").write_text(text + "\n", encoding="utf-8")
            (unfinished / "report.html").write_text(page(report), encoding="utf-8")
            unfinished.chmod(0o755)  # mkdtemp keeps others out
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise StoreError(
            f"the report cannot be written: {error.strerror or error}", where=str(folder), do="see the disk"
        ) from error
    return folder


def _number(value: float | None) -> str:
    """A figure as people read it: four digits that count, thousands apart."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _change(figure: Mapping[str, Any], key: str = "change") -> str:
    value = figure[key]
    if value is None:
        return NOTHING
    if figure["unit"] == "value":
        return _number(value)
    if figure["unit"] == "relative":
        return f"{value:+.1%}"
    return f"{value:.2f} times" if figure["unit"] == "ratio" else f"{value:+.4g}"


def _made(version: str | None) -> str:
    return NOTHING if version is None else f"{parts_of(version)[0][:16].replace('T', ' ')} ({version[-12:]})"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 60 else f"{value / 60:.1f} min"
