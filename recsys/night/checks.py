"""Checks of a night's data against the nights before: does today look like yesterday?"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from recsys.evaluation.checks.check import Check, Status, graded
from recsys.interactions import MICROSECONDS_PER_DAY, Interactions, iso_time
from recsys.panel import FEWEST_PEOPLE

Facts = Mapping[str, Any]

# From the first share on a warning, from the second on the night stops.
FELL = (0.01, 0.1)  # of the events there were
BAD = (0.01, 0.05)  # of the rows that came since
VANISHED = (0.02, 0.1)  # of the items that the live model knows
NEW_ITEMS = (0.5, 1.01)  # of all items: much to ask of a night, but no fault
DRIFT = (0.2, 0.5)  # total variation between two mixes of event types: 0 alike, 1 nothing in common
FACTOR = 10.0  # times as many new events as usual, or as few
_RECENT = 7  # nights
_FEWEST_NEW = 1_000  # events: of fewer, shares say little


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of the store. bad_rows: quarantined so far; forgotten: people ever deleted, before the reading."""

    interactions: Interactions
    bad_rows: int
    forgotten: int


def facts_of(reading: Reading) -> dict[str, Any]:
    """Counts of what was read, plain values to keep for the nights to come."""
    data = reading.interactions
    used = np.bincount(data.event.codes, minlength=len(data.event.labels))
    span = data.span()
    return {
        "events": len(data),
        "users": len(np.unique(data.user.codes)),
        "items": len(np.unique(data.item.codes)),
        "by_event": {str(name): int(count) for name, count in zip(data.event.labels, used, strict=True) if count},
        "bad_rows": reading.bad_rows,
        "forgotten": reading.forgotten,
        "until": None if span is None else span[1],
    }


def check_data(
    today: Facts, before: Sequence[Facts], live_items: Collection[str] = (), items: Iterable[str] = ()
) -> list[Check]:
    """What is odd about today's facts. before: of the nights that read the store, the latest first; live_items: those
    that the live model knows; items: those of today. A check that fails is a reason to stop."""
    last = before[0] if before else None
    found: list[Check | None] = [_enough(today)]
    if last is not None:
        found += [_volume(today, last), _pace(today, before), _drift(today, before)]
    found += [_bad_rows(today, last), *_items(set(live_items), set(items)), _clock(today)]
    return [check for check in found if check is not None]


def in_words(checks: Sequence[Check]) -> str:
    """How they came out."""
    counts = {status: sum(check.status == status for check in checks) for status in ("ok", "warn", "fail")}
    odd = f", {counts['warn']} warnings" if counts["warn"] else ""
    return f"{counts['ok']} ok{odd}" + (f", {counts['fail']} failed and accepted" if counts["fail"] else "")


def _enough(today: Facts) -> Check:
    status: Status = "ok" if today["users"] >= FEWEST_PEOPLE else "fail"
    detail = f"{today['events']:,} events of {today['users']:,} people on {today['items']:,} items"
    if status == "fail":
        detail += f"; with fewer than {FEWEST_PEOPLE} people nobody can be kept apart to judge by"
    return Check("there is enough to judge by", status, detail)


def _volume(today: Facts, last: Facts) -> Check:
    fell = 1 - today["events"] / max(last["events"], 1)
    detail = f"{last['events']:,} events the last time, {today['events']:,} now"
    if today["forgotten"] > last["forgotten"]:
        detail += f" ({today['forgotten'] - last['forgotten']:,} people were forgotten in between)"
    return Check("events do not go missing", graded(max(fell, 0.0), *FELL), detail)


def _pace(today: Facts, before: Sequence[Facts]) -> Check | None:
    """New events beside what recent nights brought."""
    fresh = [_new(a, b) for a, b in pairwise(before[: _RECENT + 1])]
    if not fresh:
        return None
    now, usual = _new(today, before[0]), median(fresh)
    detail = f"{now:,} new events; the usual number is {usual:,.0f}"
    odd = max(now, usual) >= _FEWEST_NEW and not usual / FACTOR <= now <= usual * FACTOR
    return Check("as many new events as usual", "warn" if odd else "ok", detail)


def _drift(today: Facts, before: Sequence[Facts]) -> Check | None:
    """The mix of event types among what is new beside that of all there was."""
    new = {name: max(0, count - before[0]["by_event"].get(name, 0)) for name, count in today["by_event"].items()}
    old = before[0]["by_event"]
    if sum(new.values()) < _FEWEST_NEW or not old:
        return None
    shares = [{name: count / sum(mix.values()) for name, count in mix.items()} for mix in (new, old)]
    names = sorted({*new, *old})
    moved = {name: shares[0].get(name, 0.0) - shares[1].get(name, 0.0) for name in names}
    distance = sum(map(abs, moved.values())) / 2
    most = max(names, key=lambda name: abs(moved[name]))
    detail = f"distance {distance:.2f} of 1 between the events since the last time and those before; most: "
    detail += f"'{most}', {shares[1].get(most, 0.0):.0%} before, {shares[0].get(most, 0.0):.0%} since"
    return Check("people do the same kinds of things", graded(distance, *DRIFT), detail)


def _bad_rows(today: Facts, last: Facts | None) -> Check:
    bad = today["bad_rows"] - (last["bad_rows"] if last is not None else 0)
    good = _new(today, last) if last is not None else today["events"]
    share = max(bad, 0) / max(good + bad, 1)
    status = graded(share, *BAD) if good + bad >= _FEWEST_NEW else "ok"
    return Check("rows can be read", status, f"{max(bad, 0):,} rows put aside beside {good:,} good ones ({share:.1%})")


def _items(live: set[str], items: set[str]) -> list[Check]:
    if not live or not items:
        return []
    gone, new = len(live - items) / len(live), len(items - live) / len(items)
    return [
        Check(
            "items do not vanish",
            graded(gone, *VANISHED),
            f"{len(live - items):,} of the {len(live):,} items that the live model knows are gone ({gone:.1%})",
        ),
        Check(
            "most items are known",
            graded(new, *NEW_ITEMS),
            f"{len(items - live):,} of {len(items):,} items are new to the live model ({new:.1%})",
        ),
    ]


def _clock(today: Facts) -> Check | None:
    until = today["until"]
    if until is None:
        return None
    ahead = until - time.time() * 1e6
    status: Status = "warn" if ahead > MICROSECONDS_PER_DAY else "ok"
    return Check("nothing is from the future", status, f"the latest event is of {iso_time(until)}")


def _new(now: Facts, before: Facts) -> int:
    return max(0, int(now["events"] - before["events"]))
