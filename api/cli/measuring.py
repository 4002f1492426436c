"""What the benchmarks' commands share: finding them beside the packages, and showing what they found."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from api.cli.output import print_json, print_table
from recsys.errors import DataError


def benchmark(name: str) -> Any:
    """A module of benchmarks/, which lies beside the packages in a checkout and nowhere else."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "benchmarks").is_dir():
        raise DataError("the benchmarks are not part of an installed package", do="run this in a checkout of recsys")
    if str(root) not in sys.path:
        sys.path.append(str(root))
    return import_module(f"benchmarks.{name}")


def show(result: dict[str, Any], tables: Any, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        for title, header, rows in tables:
            click.echo(title)
            if rows:
                print_table("", header, rows)
