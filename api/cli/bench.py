"""recsys bench: measurements of this machine, each printing a ratio. The measuring code lives in benchmarks/."""

from __future__ import annotations

import runpy
from pathlib import Path

import click

from recsys.errors import DataError


@click.group(epilog="Example: recsys bench matrix --rows 1000000")
def command() -> None:
    """Measure this machine and print ratios."""


@command.command(epilog="Example: recsys bench matrix --rows 1000000")
@click.option("--rows", type=click.IntRange(1000), default=10_000_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
def matrix(rows: int, repeat: int) -> None:
    """File to sparse matrix, beside the fastest pipelines written by hand."""
    _run("matrix.py", rows=rows, repeat=repeat)


@command.command("import", epilog="Example: recsys bench import --rows 1000000")
@click.option("--rows", type=click.IntRange(1000), default=10_000_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
def import_(rows: int, repeat: int) -> None:
    """File into the store, beside a bare bulk insert of the same rows."""
    _run("import_rate.py", rows=rows, repeat=repeat)


def _run(name: str, **arguments: int) -> None:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / name
    if not path.is_file():
        raise DataError("the benchmarks are not part of an installed package", do="run this in a checkout of recsys")
    runpy.run_path(str(path))["main"](**arguments)
