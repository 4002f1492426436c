"""page: report.html, one file that opens without a network, from the content of report.json alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from recsys.reports.plots import numbers
from recsys.reports.plots.headline import headline
from recsys.reports.sections import SECTIONS, view
from recsys.reports.standing import against, cells, kind, plainly

STATUSES = {
    "fail": ("✕", "Do not rely on these numbers"),
    "warn": ("!", "Read with care"),
    "ok": ("✓", "Checks passed"),
}
A_MODEL_FAILED = "A model failed a check"  # the numbers stand
_WORST_FIRST = ("fail", "warn", "ok")


def page(report: Mapping[str, Any]) -> str:
    """The page's HTML. report: what `recsys.reports.report.as_report` returns, or report.json read again.

    No script, nothing from outside. Parts that a report may lack are left out.
    """
    seen = view(report)
    found = {name: (title, make(seen)) for name, (title, make) in SECTIONS.items()}
    checks = sorted(report["checks"], key=lambda check: _WORST_FIRST.index(check["status"]))
    worst = checks[0]["status"] if checks else "warn"
    verdict = {
        "status": worst,
        "valid": worst != "fail",
        "text": f"{seen.first} has the best mean {seen.main} of those compared: {', '.join(seen.models)}.",
        **(report.get("verdict") or {}),
    }
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            verdict=verdict,
            said=A_MODEL_FAILED if verdict["status"] == "fail" and verdict["valid"] else STATUSES[verdict["status"]][1],
            statuses=STATUSES,
            checks=checks,
            sections={name: (title, given) for name, (title, given) in found.items() if given is not None},
            missing=[title for title, given in found.values() if given is None],
            headline=headline(seen.models, seen.marks, seen.main),
            marks=seen.marks,
            main=seen.main,
            first=seen.first,
            gloss=plainly(seen.main),
            lead=against(report["comparisons"], seen.first, seen.main)[:1],
        )
    )


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("recsys.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    found.filters.update(
        number=numbers.number,
        signed=numbers.signed,
        decimals=numbers.decimals,
        chance=numbers.chance,
        duration=numbers.duration,
        size=numbers.size,
        percent=numbers.share,
        value=numbers.value_text,
        kind=kind,
        pretty=_pretty,
        whole=_whole,
        short=numbers.plain,
        breakable=_breakable,
    )
    found.globals["cells"] = cells
    return found


def _shown(value: Any) -> Any:
    """Text on its way into the page: no control characters, and not without end."""
    return numbers.plain(value, 4000) if type(value) is str else value


def _whole(text: str) -> Markup:
    """Text that must not be cut, such as the command."""
    return Markup.escape(numbers.plain(text, 100_000))


def _breakable(name: str) -> Markup:
    """A model's name that may be broken where a part of it ends."""
    escaped = str(Markup.escape(numbers.plain(name)))
    return Markup(re.sub(r"([:_/])", r"\1<wbr>", escaped))


def _pretty(value: Any) -> Markup:
    """A plain value as indented JSON, escaped, to copy."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return Markup.escape(text.encode("utf-8", "replace").decode())
