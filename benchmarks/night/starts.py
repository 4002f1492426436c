"""Benchmark: many nights started at once, and one more while one is at work.

    python -m benchmarks.night.starts [--starts 20]

Prints how many ran, the exit statuses and the seconds of those that were turned away; status 1 unless exactly one ran
and every other ended with 75. The seconds of the many are mostly those of as many interpreters starting on few cores,
so the second night alone is timed as well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.night.rig import SMALL, Rig, make_rig, sample_events

TURNED_AWAY = 75


def main(starts: int) -> bool:
    with tempfile.TemporaryDirectory() as place:
        rig = make_rig(Path(place, "home"), sample_events(), **SMALL)
        processes = [rig.start() for _ in range(starts)]
        began = time.monotonic()
        ended = ended_at(processes, began)
        statuses = [process.returncode for process in processes]
        away = sorted(seconds for seconds, status in zip(ended, statuses, strict=True) if status == TURNED_AWAY)
        with rig.store() as store:
            nights = len(store.nights.recent(starts))
        print(f"{starts} at once: statuses {dict(Counter(statuses))}, {nights} in the ledger")
        print(f"turned away after {away[0]:.2f} to {away[-1]:.2f} s, {starts} interpreters starting on the same cores")
        alone = second(rig)
        print(f"a second night while one is at work, alone: {', '.join(f'{one:.2f}' for one in alone)} s")
        return statuses.count(0) == 1 and len(away) == starts - 1 and nights == 1 and min(alone) < 1


def ended_at(processes: list[subprocess.Popen[str]], began: float) -> list[float]:
    """Seconds after which each of them ended."""
    ended: dict[int, float] = {}
    while len(ended) < len(processes):
        for number, process in enumerate(processes):
            if number not in ended and process.poll() is not None:
                ended[number] = time.monotonic() - began
                process.communicate()
        time.sleep(0.005)
    return [ended[number] for number in range(len(processes))]


def second(rig: Rig, times: int = 5) -> list[float]:
    """Seconds of nights that are turned away by a lock that is held here."""
    found = []
    with rig.lock.held():
        for _ in range(times):
            began = time.monotonic()
            status, said = rig.run()
            found.append(time.monotonic() - began)
            if status != TURNED_AWAY:
                raise SystemExit(f"it was not turned away: {said}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=20)
    sys.exit(not main(parser.parse_args().starts))
