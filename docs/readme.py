"""Writes what is generated of README.md (settings, limits) and docs/files.md (the files): ``make readme``.

A test runs this and fails when either is not what it gives, so no part can drift from the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic_core import PydanticUndefined

from api import limits
from api.sections import NightlySettings
from api.settings import Settings
from data import records

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("recsys", "data", "migrations", "api", "benchmarks")


def settings_table() -> str:
    rows = ["| setting | variable | default | what it is |", "|---|---|---|---|"]
    nested = [(f"nightly.{name}", field) for name, field in NightlySettings.model_fields.items()]
    for name, field in [*((n, f) for n, f in Settings.model_fields.items() if n != "nightly"), *nested]:
        default = "" if field.default is PydanticUndefined else field.default
        shown = f"`{default}`" if default not in ("", None, {}, ()) else "none" if default is None else ""
        variable = f"RECSYS_{name.upper().replace('.', '__')}"
        variable += "__NAME__FIELD" if name in ("events", "models", "presets") else ""
        rows.append(f"| `{name}` | `{variable}` | {shown} | {field.description} |")
    return "\n".join(rows)


def limits_table() -> str:
    rows = (
        (f"`n` (without it: {limits.DEFAULT_N})", limits.MAX_N),
        ("`n` with `explain`", limits.MAX_EXPLAINED),
        ("`offset`", limits.MAX_OFFSET),
        ("items in `exclude`, or in `only`", limits.MAX_EXCLUDE),
        ("users of `/v1/recommendations:batch`", limits.MAX_USERS),
        ("events, items, users or entries of a history in a body", limits.MAX_BATCH),
        ("bytes of a body", limits.MAX_BODY),
        ("bytes of a query string; servers in front allow less", limits.MAX_QUERY),
        ("characters of an id or a category, of an event type", (records.MAX_ID, records.MAX_EVENT)),
        ("characters of a title, categories of an item", (records.MAX_TITLE, records.MAX_CATEGORIES)),
        ("bytes of the attributes of an item or a user, as JSON", records.MAX_ATTRIBUTES),
    )
    lines = ["| of one request | at most |", "|---|---|"]
    for what, most in rows:
        lines.append(
            f"| {what} | {', '.join(f'{number:,}' for number in (most if isinstance(most, tuple) else (most,)))} |"
        )
    return "\n".join(lines)


def tree() -> str:
    """Every module with the first sentence of its docstring."""
    lines = ["```"]
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py"), key=_reading_order):
            sentence = first_sentence(path)
            if sentence:
                lines.append(f"{path.relative_to(ROOT).as_posix():<42} {sentence}")
    return "\n".join([*lines, "```"])


def first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(re.split(r"(?<=[.;])\s|\n\n", text, maxsplit=1)[0].split()).rstrip(".;")


# file -> its generated parts: name -> what makes it
PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"settings": settings_table, "limits": limits_table},
    "docs/files.md": {"tree": tree},
}


def render(file: str, text: str) -> str:
    """The text of a file with its generated parts as they should be."""
    for name, make in PARTS[file].items():
        part = make()
        pattern = re.compile(rf"(<!-- {name}: written by `make readme` -->\n).*?(\n<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, part=part: found[1] + part + found[2], text)
        if count != 1:
            raise SystemExit(f"{file} has no part marked <!-- {name}: written by `make readme` -->")
    return text


def _reading_order(path: Path) -> tuple[object, ...]:
    """Files before folders, __init__ first."""
    relative = path.relative_to(ROOT)
    return (*((1, part) for part in relative.parts[:-1]), (0, "" if path.stem == "__init__" else path.stem))


if __name__ == "__main__":
    for name in PARTS:
        file = ROOT / name
        file.write_text(render(name, file.read_text(encoding="utf-8")), encoding="utf-8")
