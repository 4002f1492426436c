"""Writes the two generated parts of README.md, the table of settings and the tree: ``make readme``.

A test runs this and fails when README.md is not what it gives, so neither part can drift from the code.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from api.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("recsys", "data", "migrations", "api", "benchmarks")


def settings_table() -> str:
    rows = ["| setting | variable | default | what it is |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is PydanticUndefined else field.default
        shown = f"`{default}`" if default not in ("", None, {}, ()) else "none" if default is None else ""
        variable = f"RECSYS_{name.upper()}" + ("__NAME__FIELD" if name in ("events", "models", "presets") else "")
        rows.append(f"| `{name}` | `{variable}` | {shown} | {field.description} |")
    return "\n".join(rows)


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


def render(readme: str) -> str:
    for name, part in (("settings", settings_table()), ("tree", tree())):
        pattern = re.compile(rf"(<!-- {name}: written by `make readme` -->\n).*?(\n<!-- end -->)", re.DOTALL)
        readme, count = pattern.subn(lambda found, part=part: found[1] + part + found[2], readme)
        if count != 1:
            raise SystemExit(f"README.md has no part marked <!-- {name}: written by `make readme` -->")
    return readme


def _reading_order(path: Path) -> tuple[object, ...]:
    """Files before folders, __init__ first."""
    relative = path.relative_to(ROOT)
    return (*((1, part) for part in relative.parts[:-1]), (0, "" if path.stem == "__init__" else path.stem))


if __name__ == "__main__":
    file = ROOT / "README.md"
    file.write_text(render(file.read_text(encoding="utf-8")), encoding="utf-8")
