"""Requests a second beside an empty endpoint of the same app, server and load, and beside the floor of a fresh answer.

    recsys bench serve

Every round measures each kind once, in the same order, so that a machine that slows down slows all of them; ratios are
taken within a round. Kinds:
- empty: /livez, the app's shortest answer, through the same hooks.
- cached: answers to a few users, asked again and again; 10 and 100 rows.
- fresh: every answer folds a history in. Asked by id, with an excluded id that never comes twice, so that no answer
  can be kept (a history may be); and as a POST of a history in the body, of which nothing can be kept.
- floor: one pass over the item table for each answer, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.serve import floor
from benchmarks.serve.home import LONGEST, SHORTEST, Home
from benchmarks.serve.load import TURN, Request, Result, wrk
from benchmarks.serve.server import serving

CACHED_BAR, FRESH_BAR, FLOOR_BAR = 0.7, 0.35, 1 / 1.3
_FEW = 64  # users whose answers are cached
_BASKETS = 5_000
_TURNS = 10_000_000  # a round has its own


def kinds(home: Home, seed: int = 0) -> dict[str, list[Request]]:
    """What is asked for, by kind."""
    users = [home.user(number) for number in range(home.shape.users)]
    by_id = "/v1/users/{}/recommendations?n={}"
    return {
        "empty": [Request("/livez")],
        "cached, n=10": [Request(by_id.format(user, 10)) for user in users[:_FEW]],
        "cached, n=100": [Request(by_id.format(user, 100)) for user in users[:_FEW]],
        "fresh by id, n=10": [Request(by_id.format(user, 10) + f"&exclude=none-{TURN}") for user in users],
        "fresh posted, n=10": baskets(home, _BASKETS, seed),
    }


def baskets(home: Home, count: int, seed: int) -> list[Request]:
    """Anonymous histories as long as those of the store's users, no two alike."""
    rng = np.random.default_rng(seed)
    longest = min(LONGEST, home.shape.items)
    made = []
    for length in rng.integers(min(SHORTEST, longest), longest + 1, count).tolist():
        chosen = rng.choice(home.shape.items, length, replace=False).tolist()
        made.append(Request.post("/v1/recommendations", {"history": [home.item(item) for item in chosen], "n": 10}))
    return made


def main(home: Home, *, rounds: int = 5, seconds: int = 4, connections: int = 32, workers: int = 2) -> dict[str, Any]:
    """ "rounds": kind -> one value a round, {"rate", "p50", "p99", "failed"}; "floor": passes a second, one a round;
    "ratios": kind -> {"median", "low", "high"} of its rate over the empty endpoint's (for fresh ones over the floor,
    too, as "KIND / floor"); "broken": bars that were missed, in words."""
    asked = kinds(home)
    found: dict[str, list[Result]] = {kind: [] for kind in asked}
    floors = []
    with serving(home, workers) as server:
        for requests in asked.values():  # caches filled, code warm
            wrk(server.port, requests, 1, connections, turn=_TURNS * rounds)
        for turn in range(rounds):
            for kind, requests in asked.items():
                server.settle()  # wrk goes away with requests still asked
                found[kind].append(wrk(server.port, requests, seconds, connections, turn=_TURNS * turn))
            server.settle()
            floors.append(floor.passes(home.shape.items, home.shape.width, seconds, workers))
    rates = {kind: np.array([result.rate for result in results]) for kind, results in found.items()}
    ratios = {kind: _spread(rate / rates["empty"]) for kind, rate in rates.items() if kind != "empty"}
    for kind in [kind for kind in rates if kind.startswith("fresh")]:
        ratios[f"{kind} / floor"] = _spread(rates[kind] / np.array(floors))
    return {
        "shape": {"users": home.shape.users, "items": home.shape.items, "width": home.shape.width},
        "load": {"rounds": rounds, "seconds": seconds, "connections": connections, "workers": workers},
        "rounds": {kind: [_plain(result) for result in results] for kind, results in found.items()},
        "floor": floors,
        "ratios": ratios,
        "broken": _broken(found, ratios),
    }


def _plain(result: Result) -> dict[str, float]:
    failed = result.errors + result.statuses["from 400"]
    return {"rate": result.rate, "p50": result.p50, "p99": result.p99, "failed": failed}


def _spread(ratios: np.ndarray) -> dict[str, float]:
    return {"median": float(np.median(ratios)), "low": float(ratios.min()), "high": float(ratios.max())}


def _broken(found: Mapping[str, Sequence[Result]], ratios: Mapping[str, Mapping[str, float]]) -> list[str]:
    broken = []
    for kind, results in found.items():
        failed = sum(_plain(result)["failed"] for result in results)
        if failed:
            broken.append(f"{kind}: {failed:,.0f} requests were refused or lost")
    for kind, ratio in ratios.items():
        if kind.startswith("cached") and ratio["median"] < CACHED_BAR:
            broken.append(f"{kind}: {ratio['median']:.2f} of the empty endpoint, the bar is {CACHED_BAR}")
        if kind.startswith("fresh") and not kind.endswith("floor"):
            of_floor = ratios[f"{kind} / floor"]["median"]
            if ratio["median"] < FRESH_BAR and of_floor < FLOOR_BAR:
                broken.append(
                    f"{kind}: {ratio['median']:.2f} of the empty endpoint, the bar is {FRESH_BAR}; "
                    f"{of_floor:.2f} of the floor, the bar is {FLOOR_BAR:.2f}"
                )
    return broken


def tables(result: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What a person reads: (title, header, rows) a table."""
    shape, load, ratios = result["shape"], result["load"], result["ratios"]
    title = (
        f"{shape['items']:,} items x {shape['width']}, {shape['users']:,} users, {load['workers']} workers, "
        f"{load['connections']} connections; medians of {load['rounds']} rounds of {load['seconds']:g} s"
    )
    header = ("", "requests/s", "p50 ms", "p99 ms", "of empty", "low-high", "of floor", "low-high")
    rows = []
    for kind, values in result["rounds"].items():
        middle = {name: median(value[name] for value in values) for name in ("rate", "p50", "p99")}
        shown = [kind, f"{middle['rate']:,.0f}", f"{middle['p50']:.1f}", f"{middle['p99']:.1f}"]
        rows.append((*shown, *_cells(ratios.get(kind)), *_cells(ratios.get(f"{kind} / floor"))))
    rows.append(("floor: passes over the table", f"{median(result['floor']):,.0f}", "", "", "", "", "", ""))
    said = result["broken"] or ["every bar is met"]
    return [(title, header, rows), *((line, (), ()) for line in said)]


def _cells(ratio: Mapping[str, float] | None) -> tuple[str, str]:
    return ("", "") if ratio is None else (f"{ratio['median']:.2f}", f"{ratio['low']:.2f}-{ratio['high']:.2f}")
