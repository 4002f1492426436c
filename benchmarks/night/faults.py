"""Benchmark: nights on which something is wrong with the machine or the data.

    python -m benchmarks.night.faults

Each on a copy of one home with a live release: the fault, what `recsys nightly` said and its exit status, whether what
was live still is, byte for byte, whether a lock was left, and, the fault taken away, whether the next night works.
Status 1 where a fault is not named, ends with another status than 1, or harms anything.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.night.kills import copy_of
from benchmarks.night.rig import COMMAND, SMALL, Rig, make_rig, sample_events, slice_of

GB = 2**30
_LIMITED = """
import resource
resource.setrlimit(resource.{0}, ({1}, {1}))
from api.cli import main
main(["nightly"])
"""


@dataclass(frozen=True)
class Fault:
    """named: words that must be in what the night says. harm: done to the home before. environ: settings of that night
    alone. limit: (name of a limit of `resource`, bytes). mended: the fault is gone by itself, and the next night works.
    """

    name: str
    named: str
    harm: Callable[[Rig], None] = lambda rig: None
    environ: Mapping[str, str] = field(default_factory=dict)
    limit: tuple[str, int] | None = None
    mended: bool = True


def main() -> bool:
    """Print a line a fault; whether all are as they should be."""
    well = True
    with tempfile.TemporaryDirectory() as place:
        events = sample_events()
        start = make_rig(Path(place, "start"), slice_of(events, 0, 0.9), **SMALL)
        status, said = start.run()
        if status:
            raise SystemExit(said)
        with start.store() as store:
            store.add(slice_of(events, 0.9, 1))
        for number, fault in enumerate(FAULTS):
            wrong, said = tried(fault, copy_of(start, Path(place, str(number))))
            print(f"{fault.name}: {'; '.join(wrong) or 'named, and harmless'}\n    {said}", flush=True)
            well &= not wrong
    return well


def tried(fault: Fault, rig: Rig) -> tuple[list[str], str]:
    """(what is wrong, the line that named the fault)."""
    before = content(rig)
    fault.harm(rig)
    command = COMMAND
    if fault.limit is not None:
        command = (sys.executable, "-c", _LIMITED.format(*fault.limit))
    status, said = Rig(rig.folder, {**rig.environ, **fault.environ}).run(command=command)
    lines = [line for line in said.splitlines() if fault.named in line]
    wrong = [] if lines else [f"not named: {said[-400:]}"]
    if status != 1:
        wrong.append(f"status {status}")
    if content(rig) != before:
        wrong.append("what was live is not what it was")
    if rig.lock.holder() is not None:
        wrong.append("a lock is left")
    if fault.mended and rig.run()[0] != 0:
        wrong.append("the next night fails too")
    return wrong, lines[0].strip() if lines else ""


def content(rig: Rig) -> dict[str, bytes]:
    """What is live: the pointer's release and every byte of its versions."""
    release = rig.registry.live()
    found = {"release": repr(sorted(release.models.items())).encode()}
    for version in release.models.values():
        for file in (rig.registry.folder / "versions" / version).iterdir():
            if file.name != "verdict.json":
                found[f"{version}/{file.name}"] = file.read_bytes()
    return found


def _sql(*statements: str) -> Callable[[Rig], None]:
    def harm(rig: Rig) -> None:
        with sqlite3.connect(rig.folder / "recsys.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return harm


def _garbage(rig: Rig) -> None:
    for file in rig.folder.glob("recsys.db*"):
        file.write_bytes(b"no database" * 1000)


FAULTS = (
    Fault("the disk is full", "error:", limit=("RLIMIT_FSIZE", 150_000)),
    Fault(
        "memory runs out",
        "not enough memory",
        environ={
            "RECSYS_NIGHTLY__MODELS": "autoencoder",
            "RECSYS_MODELS__AUTOENCODER__LAYERS": "[60000]",
            "RECSYS_MODELS__AUTOENCODER__BOTTLENECK": "60000",
        },
        limit=("RLIMIT_AS", 10 * GB),
    ),
    Fault(
        "numbers that are none",
        "became nan",
        environ={"RECSYS_NIGHTLY__MODELS": "autoencoder", "RECSYS_MODELS__AUTOENCODER__LEARNING_RATE": "100"},
    ),
    Fault("no event at all", "there is enough to judge by", _sql("delete from interactions"), mended=False),
    Fault(
        "one user",
        "there is enough to judge by",
        _sql("delete from interactions where user_id != (select min(user_id) from interactions)"),
        mended=False,
    ),
    Fault(
        "half of the events gone",
        "events do not go missing",
        _sql("delete from interactions where user_id % 2 = 0"),
        mended=False,
    ),
    Fault("a table vanished", "interactions", _sql("drop table interactions"), mended=False),
    Fault(
        "the tables of nights vanished",
        "no such table: night",
        _sql("drop table verdicts", "drop table night_steps", "drop table nights"),
        mended=False,
    ),
    Fault("no database any more", "not a SQLite database", _garbage, mended=False),
)


if __name__ == "__main__":
    sys.exit(not main())
