"""recsys nightly: one night now, or what the nights did."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from api.cli.output import FitProgress, json_option, print_json, say
from api.cli.session import Session
from recsys.errors import RecsysError

if TYPE_CHECKING:
    from recsys.night.lock import NightLock
    from recsys.night.run import Outcome


@click.command(epilog="Example, a line of a crontab: 0 3 * * * recsys nightly")
@click.option("--once", is_flag=True, help="Run one night now and end, as without it; for scripts that say so.")
@click.option("--dry-run", is_flag=True, help="Train and judge, say what would happen, change nothing.")
@click.option("--accept-data", is_flag=True, help="Go on where tonight's data fail their checks.")
@click.option("--status", is_flag=True, help="Show what the last nights did, and the one at work; run none.")
@click.option("-n", "last", type=click.IntRange(1, 365), default=10, show_default=True, help="Nights to show.")
@json_option
@click.pass_obj
def command(
    session: Session, once: bool, dry_run: bool, accept_data: bool, status: bool, last: int, as_json: bool
) -> None:
    """Retrain, judge against what is live, publish only what is not worse, and make everybody's lists.

    Exit status: 0 the night did its work and refused nothing, whatever it decided; 1 something failed or was refused,
    what was live stays; 2 a setting that cannot be; 75 another night is at work. Killed at any moment, the next one
    goes on where it stopped.
    """
    if status:
        from api.cli.nights import show

        show(session, last, as_json)
        return
    outcome = _run(session, dry_run, accept_data)
    if as_json:
        print_json({"decision": outcome.decision, **outcome.facts})
    sys.exit(outcome.exit_status)


def _run(session: Session, dry_run: bool, accept_data: bool) -> Outcome:
    from recsys.night.lock import NightLock

    settings = session.settings
    lock = NightLock(settings.night_folder, settings.nightly.stuck_minutes * 60)
    with lock.held(take_over=not dry_run):  # before the seconds that the rest takes to import
        outcome = _night(session, lock, dry_run, accept_data)
    say(f"the night is over: {outcome.decision}")
    for part in (outcome.reason, outcome.said):
        if part:
            say(part)
    return outcome


def _night(session: Session, lock: NightLock, dry_run: bool, accept_data: bool) -> Outcome:
    from api.night import StoreWorld, plan_of
    from api.notify import post
    from recsys.night.run import run_night

    settings = session.settings
    os.nice(settings.nightly.nice)
    signal.signal(signal.SIGTERM, _terminated)
    shown = _Shown()
    try:
        plan = plan_of(settings, dry_run=dry_run, accept_data=accept_data)
        store = session.store()
    except RecsysError as error:
        if not dry_run:
            failed = {"status": "failed", "decision": None, "reason": error.what}
            say(post(settings.nightly.webhook, failed))
        raise
    world = StoreWorld(settings, store, shown.watch)
    return run_night(plan, world, session.registry(), settings.night_folder, shown.say, lock)


class _Shown:
    """Lines about steps between the bars of fits."""

    def __init__(self) -> None:
        self._bar: FitProgress | None = None

    def watch(self, model: str) -> FitProgress:
        self._bar = FitProgress(model)
        return self._bar

    def say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        with suppress(OSError):  # whoever read along has gone: the night goes on
            say(line)


def _terminated(number: int, frame: FrameType | None) -> None:
    """As systemd and Kubernetes ask: end in order, so that the ledger knows. The next night goes on from here."""
    sys.exit(128 + number)
