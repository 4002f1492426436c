"""Benchmark: nights that are killed (SIGKILL) at random moments, and gone on with.

    python -m benchmarks.night.kills [--kills 50] [--seed 0]

A home with a live release and a tenth more events than it learnt from; first one night undisturbed, then the same night
from the same start, killed once or several times and then left to end. Held against each other: the challengers'
digests, the decisions, what is live. Status 1 where anything differs, a version is torn, a lock or leftover remains.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.night.rig import SMALL, Rig, make_rig, sample_events, slice_of

CHILD = (sys.executable, "-m", "benchmarks.night.child")
_AGAIN = 0.3  # chance of one more kill after a kill


def main(kills: int, seed: int) -> bool:
    """Print one line a kill and what it all comes to; whether all is as it should be."""
    chance, events = random.Random(seed), sample_events()
    with tempfile.TemporaryDirectory() as place:
        start = make_rig(Path(place, "start"), slice_of(events, 0, 0.9), **SMALL)
        status, said = start.run(command=CHILD)
        if status:
            raise SystemExit(f"the first night failed:\n{said}")
        with start.store() as store:
            store.add(slice_of(events, 0.9, 1))
        undisturbed = copy_of(start, Path(place, "undisturbed"))
        began = time.monotonic()
        status, said = undisturbed.run(command=CHILD)
        seconds, expected = time.monotonic() - began, outcome(undisturbed)
        print(f"undisturbed: {seconds:.1f} s, {expected['decisions']}, challengers {expected['challengers']}")
        done, broken, where = 0, 0, Counter[str]()
        while done < kills:
            rig = copy_of(start, Path(place, "killed"))
            struck = strike(rig, chance, seconds, expected)
            where.update(struck)
            over = outcome(rig) == expected  # its last word was said: what comes now is a night without news
            status, said = rig.run(command=CHILD)
            found, left = outcome(rig), leftovers(rig)
            same = [name for name in expected if not over or name != "decisions"]
            wrong = [name for name in same if found[name] != expected[name]] + left
            done, broken = done + len(struck), broken + bool(wrong)
            verdict = f"differs: {', '.join(wrong)}" if wrong else "the same bytes"
            print(f"killed in {', '.join(struck) or 'nothing'}{', it was over' if over else ''}: {verdict}", flush=True)
            if wrong:
                print(said)
            shutil.rmtree(rig.folder)
    print(f"{done} kills, {broken} nights that ended otherwise; by step: {dict(where)}")
    return not broken


def strike(rig: Rig, chance: random.Random, seconds: float, expected: Mapping[str, Any]) -> list[str]:
    """Start a night and kill it at a random moment, perhaps again until its last word is said; the steps it was killed
    in."""
    struck = []
    while True:
        with rig.start(command=CHILD) as process:
            time.sleep(chance.uniform(0.1, 1.0) * seconds)
            if process.poll() is not None:
                return struck
            holder = rig.lock.holder()
            process.kill()
            process.wait()
        struck.append("the start" if holder is None else holder.step or "the start")
        if chance.random() > _AGAIN or outcome(rig) == expected:
            return struck


def outcome(rig: Rig) -> dict[str, Any]:
    """What the last night came to, but for times."""
    with rig.store() as store:
        [night] = store.nights.recent(1)
        verdicts = {one.model: one for one in night.verdicts}
    return {
        "status": night.status,
        "decisions": {model: one.decision for model, one in verdicts.items()},
        "challengers": {model: (one.challenger or "")[-12:] for model, one in verdicts.items()},
        "live": {model: version[-12:] for model, version in rig.registry.live().models.items()},
    }


def leftovers(rig: Rig) -> list[str]:
    """What must not be there after a night: torn versions, locks, work half done."""
    found = []
    for version in rig.registry.versions():
        rig.registry.load(version)  # hashed and restored: it raises for a torn one
    if rig.lock.holder() is not None:
        found.append("a lock")
    if (rig.settings.night_folder / "work").exists():
        found.append("work half done")
    found += [f"leftover {path.name}" for path in rig.settings.registry_folder.glob("versions/.partial-*")]
    json.loads((rig.settings.registry_folder / "live.json").read_bytes())
    return found


def copy_of(rig: Rig, folder: Path) -> Rig:
    shutil.copytree(rig.folder, folder)
    return Rig(folder, rig.environ)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sys.exit(not main(asked.kills, asked.seed))
