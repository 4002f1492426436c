"""recsys bench serve: how fast the web API answers, and whether it keeps its promises while things go wrong."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from api.cli.measuring import benchmark, show
from api.cli.output import json_option

_DRILLS = ("swaps", "effects", "crashes", "next-answer", "abuse", "soak", "identical", "outage", "all")


@click.command(epilog="Example: recsys bench serve --drill swaps --quick")
@click.option("--drill", "drills", multiple=True, type=click.Choice(_DRILLS), help="A promise to put to the test.")
@click.option("--quick", is_flag=True, help="The drills at a small size: a minute or two for all.")
@click.option("--postgresql", "url", default="", help="URL of an empty database, for the drill 'outage'.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of the rates, kinds in turn.")
@click.option("--seconds", type=click.IntRange(1), default=4, show_default=True, help="A kind and round.")
@click.option("--connections", type=click.IntRange(1, 1000), default=32, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the data made for it here, for the next time.")
@json_option
def serve(
    drills: tuple[str, ...],
    quick: bool,
    url: str,
    rounds: int,
    seconds: int,
    connections: int,
    workers: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Requests a second, cached and folded in fresh, beside an empty endpoint of the same server and beside the floor:
    one pass over the item table a request. With --drill: promises, each with its fault. Status 1 when a bar is missed.

    Let nothing else run beside it.
    """
    module = benchmark("serve.bench")
    with ExitStack() as stack:
        place = folder if folder is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if drills:
            result = module.drills(place, drills, quick=quick, url=url, workers=workers)
            tables = module.tables(result)
            broken = [name for name, found in result.items() if found["broken"]]
        else:
            load = {"rounds": rounds, "seconds": seconds, "connections": connections, "workers": workers}
            result = module.measure(place / "rates", **load)
            tables, broken = benchmark("serve.rates").tables(result), result["broken"]
    show(result, tables, as_json)
    if broken:
        raise click.exceptions.Exit(1)


@click.command(epilog="Example: recsys bench faithfulness --interactions ml-1m/ratings.csv --min-value 4")
@click.option("--interactions", type=click.Path(path_type=Path), help="Train on this file instead of the sample.")
@click.option("--min-value", type=float, help="Count an interaction as liked when its value is at least this.")
@click.option("--users", type=click.IntRange(10), default=1_000, show_default=True, help="Held-out people.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def faithfulness(interactions: Path | None, min_value: float | None, users: int, seed: int, as_json: bool) -> None:
    """Are reasons true? What is lost without the items they name, and without as many at random. Status 1 if not."""
    module = benchmark("faithfulness")
    result = module.main(interactions, min_value, users=users, seed=seed)
    show(result, module.tables(result), as_json)
    if result["broken"]:
        raise click.exceptions.Exit(1)
