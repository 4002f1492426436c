"""show: what the last nights did, and who is at work."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from api.cli.output import print_json, print_table, say
from api.cli.session import Session
from recsys.interactions import iso_time

if TYPE_CHECKING:
    from data.nights import NightRecord
    from recsys.night.lock import Holder


def show(session: Session, last: int, as_json: bool) -> None:
    """The last nights, every step and verdict of the newest, and the process that is at work now."""
    from recsys.night.lock import NightLock

    settings = session.settings
    stuck_after = settings.nightly.stuck_minutes * 60
    holder = NightLock(settings.night_folder, stuck_after).holder()
    nights = session.store().nights.recent(last)
    if as_json:
        at_work = None if holder is None else {**asdict(holder), "stuck": holder.silent > stuck_after}
        print_json({"at_work": at_work, "nights": [asdict(night) for night in nights]})
        return
    say(_at_work(holder, stuck_after))
    if not nights:
        say("no night has been run yet: `recsys nightly`")
        return
    print_table(
        "The last nights",
        ("night", "started (UTC)", "took", "status", "decision", "why"),
        [
            (
                str(night.id),
                iso_time(night.started)[:16].replace("T", " "),
                _took(night),
                night.status,
                night.decision or "",
                _short(night.reason),
            )
            for night in nights
        ],
        numbers_from=9,
    )
    newest = nights[0]
    print_table(
        f"Night {newest.id}, step by step",
        ("step", "status", "seconds", "came to"),
        [(step.name, step.status, f"{step.seconds:.1f}", step.detail) for step in newest.steps],
        numbers_from=9,
    )


def _at_work(holder: Holder | None, stuck_after: float) -> str:
    if holder is None:
        return "no night is at work now"
    if holder.silent > stuck_after:
        return f"STUCK: {holder.words()}; the next night takes over from it"
    return f"at work: {holder.words()}"


def _took(night: NightRecord) -> str:
    return "" if night.ended is None else f"{(night.ended - night.started) / 1e6:.0f} s"


def _short(reason: str | None, most: int = 300) -> str:
    text = " ".join((reason or "").split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
