"""A measurement in a process of its own: what it found, its peak of memory, and a limit that ends it loudly.

    python -m benchmarks.process MODULE RESULT      arguments as JSON on standard input, the result as JSON in a file

MODULE has a function ``measure`` that takes the arguments and returns plain values. Any python that has numpy and
scipy can run this file, so a measurement may live in an environment of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.errors import RecsysError, TrainingError

ROOT = Path(__file__).resolve().parents[1]
_TOO_MUCH = 3  # the exit status of a process that passed its limit


def alone(
    module: str,
    arguments: Mapping[str, Any],
    *,
    python: str | Path = sys.executable,
    folder: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What ``module.measure(**arguments)`` returns in a fresh process, with its "peak" of memory in bytes beside it.

    folder: where it runs. environment: variables set besides this process's own. Raises TrainingError when it fails;
    what it says on standard error is shown as it comes.
    """
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as place:
        result = Path(place, "result.json")
        done = subprocess.run(
            [str(python), "-m", "benchmarks.process", module, str(result)],
            input=json.dumps(dict(arguments)),
            text=True,
            stdout=sys.stderr,  # libraries talk there; the answer is in the file
            cwd=folder or place,
            env={**os.environ, **(environment or {}), "PYTHONPATH": path},
            check=False,
        )
        if done.returncode:
            raise TrainingError(f"the measurement {module} {_ending(done.returncode)}", where=f"python: {python}")
        return json.loads(result.read_text(encoding="utf-8"))


def _ending(status: int) -> str:
    if status == _TOO_MUCH:
        return "used more memory than it may"
    if status == -9:
        return "was killed: most likely the machine ran out of memory"
    return f"failed with status {status}: its own words are above"


def peak() -> int:
    """The most memory this process has held, bytes. VmHWM where there is one: ru_maxrss counts the parent's, too."""
    found = _status("VmHWM")
    if found is not None:
        return found
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def limit(most: float, every: float = 0.05) -> None:
    """End this process, saying so, when it holds more than ``most`` bytes; looks every ``every`` seconds.

    Resident memory, not address space: torch and CUDA reserve far more than they touch.
    """

    def watch() -> None:
        while True:
            held = peak()
            if held > most:
                print(f"memory: {held / 2**30:.1f} GiB, allowed {most / 2**30:.1f} GiB", file=sys.stderr, flush=True)
                os._exit(_TOO_MUCH)
            time.sleep(every)

    threading.Thread(target=watch, daemon=True).start()


def _status(field: str) -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def _main(module: str, result: str) -> None:
    arguments = json.loads(sys.stdin.read())
    try:
        found = importlib.import_module(module).measure(**arguments)
    except RecsysError as error:
        sys.exit(str(error))
    Path(result).write_text(json.dumps({**found, "peak": peak()}), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
