"""recsys bench: measurements of this machine, each printing a ratio. The measuring code lives in benchmarks/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.bench_serve import faithfulness, serve
from api.cli.measuring import benchmark, show
from api.cli.output import json_option, say
from api.cli.session import Session

if TYPE_CHECKING:
    from api.cli.question import Question


@click.group(epilog="Example: recsys bench matrix --rows 1000000")
def command() -> None:
    """Measure this machine and print ratios."""


command.add_command(serve)
command.add_command(faithfulness)


@command.command(epilog="Example: recsys bench matrix --rows 1000000")
@click.option("--rows", type=click.IntRange(1000), default=10_000_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
def matrix(rows: int, repeat: int) -> None:
    """File to sparse matrix, beside the fastest pipelines written by hand."""
    benchmark("matrix").main(rows=rows, repeat=repeat)


@command.command("import", epilog="Example: recsys bench import --rows 1000000")
@click.option("--rows", type=click.IntRange(1000), default=10_000_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
def import_(rows: int, repeat: int) -> None:
    """File into the store, beside a bare bulk insert of the same rows."""
    benchmark("import_rate").main(rows=rows, repeat=repeat)


device_option = click.option(
    "--device", type=click.Choice(("auto", "cpu", "cuda")), help="Where to train (RECSYS_DEVICE, auto)."
)


@command.command(epilog="Example: recsys bench train --interactions ratings.csv --min-value 4 --peers")
@click.option("--interactions", type=click.Path(path_type=Path), help="Train on this file instead of the store.")
@click.option("--min-value", type=float, help="Count an interaction as liked when its value is at least this.")
@click.option("--min-user", type=click.IntRange(1), default=5, show_default=True, help="Leave out shorter histories.")
@click.option("--peers", is_flag=True, help="RecBole's MultiDAE and Cornac's VAECF, too; installs them when needed.")
@click.option("--peers-python", type=click.Path(path_type=Path), help="A python that has the peers; implies --peers.")
@click.option(
    "--epochs", type=click.IntRange(2), default=8, show_default=True, help="Epochs timed for the step's rate."
)
@click.option("--kinds", is_flag=True, help="Also the share of time by kind of operation.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the split and of every model (RECSYS_SEED, 0).")
@device_option
@json_option
@click.pass_obj
def train(
    session: Session,
    interactions: Path | None,
    min_value: float | None,
    min_user: int,
    peers: bool,
    peers_python: Path | None,
    epochs: int,
    kinds: bool,
    seed: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    """The autoencoder's step beside the machine's matrix rate, and its time to quality beside its peers'.

    The data is split as `recsys evaluate` splits it: everybody trains on the same people and is judged on the same
    others. Let nothing else run beside it.
    """
    session.flags |= {"device": device, "seed": seed}
    settings = session.settings
    question = _question(session, interactions, min_value, min_user)
    result = benchmark("train.bench").main(
        question.splits(session)[0],
        settings.home,
        device=settings.device,
        seed=settings.seed,
        epochs=epochs,
        kinds=kinds,
        peers=peers or peers_python is not None,
        python=peers_python,
    )
    show(result, benchmark("train.tables").tables(result), as_json)


@command.command(epilog="Example: recsys bench million --items 50000 --users 20000 --interactions 1000000")
@click.option("--users", type=click.IntRange(64), default=200_000, show_default=True)
@click.option("--items", type=click.IntRange(64), default=1_000_000, show_default=True)
@click.option("--interactions", type=click.IntRange(1000), default=20_000_000, show_default=True)
@click.option(
    "--batch", type=click.IntRange(1), default=512, show_default=True, help="The smallest batch; 2 and 4 times."
)
@click.option(
    "--limit", type=click.FloatRange(0, min_open=True), default=20.0, show_default=True, help="GiB of memory."
)
@device_option
@json_option
@click.pass_obj
def million(
    session: Session,
    users: int,
    items: int,
    interactions: int,
    batch: int,
    limit: float,
    device: str | None,
    as_json: bool,
) -> None:
    """One epoch of the autoencoder on a large made-up catalogue within a limit of memory, and its peak as batches grow.

    A process that passes the limit is ended, and the benchmark fails.
    """
    session.flags |= {"device": device}
    module = benchmark("million")
    result = module.main(users, items, interactions, batch=batch, most=limit, device=session.settings.device)
    show(result, module.tables(result), as_json)


@command.command(epilog="Example: recsys bench ruler --train gowalla/train.txt --test gowalla/test.txt")
@click.option("--train", "train_file", type=click.Path(path_type=Path), required=True, help="Gowalla's train.txt.")
@click.option("--test", "test_file", type=click.Path(path_type=Path), required=True, help="Gowalla's test.txt.")
@json_option
def ruler(train_file: Path, test_file: Path, as_json: bool) -> None:
    """Published models at their papers' settings on Gowalla: do our split and metrics give the published figures?"""
    module = benchmark("ruler")
    result = module.main(train_file, test_file)
    show(result, module.tables(result), as_json)


@command.command(epilog="Example: recsys bench evaluate --users 3000")
@click.option("--users", type=click.IntRange(64), default=30_000, show_default=True)
@click.option("--items", type=click.IntRange(64), default=41_000, show_default=True)
@click.option("--interactions", type=click.IntRange(1000), default=1_000_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True)
@json_option
def evaluate(users: int, items: int, interactions: int, repeat: int, as_json: bool) -> None:
    """Every metric for everybody, beside the bare matrix products and top-k of the same scores."""
    module = benchmark("evaluation")
    result = module.main(users, items, interactions, repeat=repeat)
    show(result, module.tables(result), as_json)


@command.command(epilog="Example: recsys bench statistics --interactions ml-100k/u.data --min-value 4")
@click.option("--repeat", type=click.IntRange(20), default=1000, show_default=True, help="Comparisons a world.")
@click.option("--interactions", type=click.Path(path_type=Path), help="Real lists from this file, not from the sample.")
@click.option("--min-value", type=float, help="Count an interaction as liked when its value is at least this.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def statistics(repeat: int, interactions: Path | None, min_value: float | None, seed: int) -> None:
    """How often tests fire and intervals hold the truth where the truth is known; status 1 when a bar is missed."""
    if not benchmark("statistics_check").main(repeat, interactions, min_value, seed):
        raise click.exceptions.Exit(1)


@command.command(epilog="Example: recsys bench attacks --interactions ml-1m/ratings.csv --min-value 4")
@click.option("--interactions", type=click.Path(path_type=Path), help="The genuine people, instead of the store's.")
@click.option("--min-value", type=float, help="Count an interaction as liked when its value is at least this.")
@click.option("--min-user", type=click.IntRange(1), default=5, show_default=True, help="Leave out shorter histories.")
@click.option("--out", type=click.Path(path_type=Path), help="File for the plot, .svg or .png.")
@click.option("--seed", type=click.IntRange(0), help="Seed of everything (RECSYS_SEED, 0).")
@device_option
@json_option
@click.pass_obj
def attacks(
    session: Session,
    interactions: Path | None,
    min_value: float | None,
    min_user: int,
    out: Path | None,
    seed: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Made-up profiles that push an item: what they do to its place in lists, and whether `anomalies` finds them."""
    session.flags |= {"device": device, "seed": seed}
    module = benchmark("attacks.drill")
    matrix = _question(session, interactions, min_value, min_user).matrix(session)
    result = module.main(matrix, seed=session.settings.seed, device=session.settings.device, tell=say, out=out)
    show(result, module.tables(result), as_json)


def _question(session: Session, interactions: Path | None, min_value: float | None, min_user: int) -> Question:
    """Strong generalization on a file or the store, under the session's rules and seed."""
    from api.cli.question import Question

    settings = session.settings
    return Question(
        "strong",
        seeds=(settings.seed,),
        interactions=None if interactions is None else str(interactions),
        min_value=min_value,
        min_user=min_user,
        min_item=settings.min_item,
    ).at_home(session)
