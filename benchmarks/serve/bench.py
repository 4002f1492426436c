"""What `recsys bench serve` runs: the rates, and the drills by name, each on a copy of one home."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serve import abuse, counted, crashes, effects, identical, next_answer, outage, rates, soak, swaps
from benchmarks.serve.drill import Found
from benchmarks.serve.home import Home, Shape, copy_of, make_home
from benchmarks.serve.server import OURS, serving
from recsys.errors import SettingError

DRILLS: Mapping[str, Callable[..., Found]] = {
    "swaps": swaps.drill,
    "effects": effects.drill,
    "crashes": crashes.drill,
    "next-answer": next_answer.drill,
    "abuse": abuse.drill,
    "soak": soak.drill,
    "identical": identical.drill,
}
# Sizes at which all of them together take a minute or two.
QUICK: Mapping[str, Mapping[str, Any]] = {
    "swaps": {"swaps": 5, "rate": 100.0, "sample": 50},
    "effects": {"clients": 16, "keys": 20},
    "crashes": {"events": 4_000, "kills": 2, "batch": 20},
    "next-answer": {"trials": 50},
    "abuse": {"repeats": 3, "chunked": 8 * 2**20},
    "soak": {"requests": 4_000, "swaps": 3},
    "identical": {"users": 300},
    "outage": {"seconds": 3.0},
}
NAMES = (*DRILLS, "outage")
ALL = "all"
# Answers kept in memory fill their room before the warm-up ends, so that filling it is not taken for a leak.
SETTINGS: Mapping[str, Mapping[str, str]] = {"soak": {"cache_mb": "8"}}
# What is served instead, with the same arguments.
MODULES: Mapping[str, str] = {"identical": counted.MODULE}
_MANY = 10_000  # users of the home of the drills
_NO_URL = "it takes PostgreSQL away, and no database was named with --postgresql"
_NAME_ONE = "give --postgresql the URL of an empty database: postgresql://user:password@host/name"


def measure(folder: Path, **load: Any) -> dict[str, Any]:
    """The rates (`rates.main`) on a home in this folder, made when it is not there."""
    return rates.main(make_home(folder), **load)


def drills(
    folder: Path, names: Sequence[str] = (ALL,), *, quick: bool = False, url: str = "", workers: int = 2
) -> dict[str, Found]:
    """What each of the drills found, by name. The home in this folder is made when it is not there, and kept as it is.

    url: of an empty PostgreSQL database, for "outage". Without one ALL says of it why it was "left_out"; naming it is a
    SettingError.
    """
    if url and not url.startswith("postgresql"):
        raise SettingError("the drill 'outage' needs a PostgreSQL database", where=url.partition(":")[0], do=_NAME_ONE)
    if "outage" in names and not url:
        raise SettingError(f"the drill 'outage' cannot be run: {_NO_URL}", do=_NAME_ONE)
    base = make_home(folder / "sqlite", Shape(users=_MANY))
    found: dict[str, Found] = {}
    for name in NAMES if ALL in names else names:
        sizes = QUICK[name] if quick else {}
        if name != "outage":
            found[name] = drill(name, base, sizes, workers)
        elif url:
            found[name] = outage.drill(make_home(folder / "postgresql", Shape(), url), workers=workers, **sizes)
        else:
            found[name] = {"left_out": _NO_URL, "broken": []}
    return found


def drill(name: str, base: Home, sizes: Mapping[str, Any], workers: int = 2) -> Found:
    """One drill on a copy of a home, with a server of its own."""
    with tempfile.TemporaryDirectory(dir=base.folder.parent) as place:
        home = copy_of(base, Path(place, "home"))
        with serving(home, workers, MODULES.get(name, OURS), **SETTINGS.get(name, {})) as server:
            return DRILLS[name](server, **sizes)


def tables(found: Mapping[str, Found]) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What a person reads of the drills: (title, header, rows) a table."""
    rows = []
    for name, result in found.items():
        told = [f"{key} {_short(value)}" for key, value in result.items() if key != "broken" and _short(value)]
        rows.append((name, _verdict(result), ", ".join(told)))
    return [("promises of the web API", ("drill", "verdict", "measured"), rows)]


def _verdict(result: Found) -> str:
    if "left_out" in result:
        return f"left out: {result['left_out']}"
    return "; ".join(result["broken"]) or "holds"


def _short(value: object) -> str:
    """A number or a few words; "" for what is too long for a table."""
    if isinstance(value, float):
        return f"{value:,.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    return ""
