"""The command line: one file a command, loaded when called; one place where an error becomes an exit status."""

from __future__ import annotations

import importlib
import os
import sys
from types import TracebackType

import click

from recsys import __version__
from recsys.errors import RecsysError

# name -> (module, one line of help). The line stands here so that `recsys --help` need not import every command.
COMMANDS = {
    "demo": ("api.cli.demo", "Sample data to served recommendations, in one go."),
    "import": ("api.cli.import_", "Read interactions, items and users from a file or folder into the store."),
    "stats": ("api.cli.stats", "Count what the store holds."),
    "train": ("api.cli.train", "Train a model on the store and, with --publish, put it live."),
    "nightly": ("api.cli.nightly", "Retrain, judge, publish only what is not worse; or show what the nights did."),
    "evaluate": ("api.cli.evaluate", "Compare models on held-out interactions and write a report."),
    "report": ("api.cli.report", "Open a report, or run it again and see which numbers come out the same."),
    "anomalies": ("api.cli.anomalies", "List histories the model cannot explain, for a person to judge."),
    "recommend": ("api.cli.recommend", "Recommend items for a user or for a list of items."),
    "similar": ("api.cli.similar", "List the items most like one item."),
    "serve": ("api.cli.serve", "Serve the HTTP API and the pages."),
    "keys": ("api.cli.keys", "Create, list and revoke API keys."),
    "models": ("api.cli.models", "List, inspect, compare, promote, roll back, prune and verify published models."),
    "forget": ("api.cli.forget", "Remove a user and everything they did from the store."),
    "export": ("api.cli.export", "Write interactions, recommendations or item embeddings to a file."),
    "db": ("api.cli.db", "Upgrade, downgrade or show the database's schema version."),
    "config": ("api.cli.config", "Show every setting and where its value came from."),
    "bench": ("api.cli.bench", "Measure this machine and print ratios."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(COMMANDS[name][0]).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: recsys import ratings.csv && recsys train --publish && recsys recommend alice",
)
@click.option("--config", "config_file", type=click.Path(path_type=str), help="TOML file of settings (recsys.toml).")
@click.option("--home", help="Folder for database, models and reports (RECSYS_HOME, ./var).")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="recsys")
@click.pass_context
def cli(ctx: click.Context, config_file: str | None, home: str | None, debug: bool) -> None:
    """Recommendations from an interaction log: a deep autoencoder beside a matrix-factorization baseline."""
    from api.cli.session import Session  # kept out of `recsys --help`

    ctx.obj = Session(config_file, home, debug)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 75 another one is running."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if not debug:
        sys.excepthook = _last_words
    try:
        status = cli.main(arguments, prog_name="recsys", standalone_mode=False)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        if debug:
            raise
        _say(*_usage(error))
        sys.exit(error.exit_code)
    except RecsysError as error:
        if debug:
            raise
        _say(error.what, error.where, error.do)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read the output has gone: not an error
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        _say(error.strerror or str(error), str(error.filename or ""), "check the path, its permissions and free space")
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _say(what: str, where: str = "", do: str = "") -> None:
    """At most three lines on standard error: what, where, what to do."""
    for label, text in (("error", what), ("where", where), ("do", do)):
        if text:
            click.echo(f"{label}: {' '.join(text.split())}", err=True)


def _usage(error: click.ClickException) -> tuple[str, str, str]:
    ctx = getattr(error, "ctx", None)
    if ctx is None:
        return error.format_message(), "", ""
    return error.format_message(), ctx.command_path, f"see `{ctx.command_path} --help`"


def _last_words(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.exit(130)
    _say(f"a bug in recsys: {kind.__name__}: {error}", "", "run it again with --debug and report what it prints")
