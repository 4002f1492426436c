"""The environment that the peers run in: made once under the home folder, or given."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

from recsys.errors import SettingError, TrainingError

REQUIREMENTS = Path(__file__).with_name("peers.txt")
ALONE = ("recbole==1.2.1",)  # installed without what it asks for


def peers_python(home: Path, given: Path | None = None) -> Path:
    """A python that has the peers: the one given, else that of ``home``/bench-peers, made when it is not there yet.

    An environment made from other requirements is made anew. Raises SettingError when the given one lacks a peer,
    TrainingError when the packages cannot be installed.
    """
    if given is not None:
        _check(given)
        return given
    folder = home.resolve() / "bench-peers"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mark = folder / "made-from"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + repr(ALONE).encode()).hexdigest()
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        print(f"installing the peers into {folder} (a few minutes the first time)", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        _install(python, ["-r", str(REQUIREMENTS)])
        _install(python, ["--no-deps", *ALONE])
        mark.write_text(wanted, encoding="utf-8")
    return python


def _check(python: Path) -> None:
    try:
        done = subprocess.run([str(python), "-c", "import torch, cornac, recbole"], capture_output=True, check=False)
    except OSError as error:
        raise SettingError(f"{python} cannot be run", where=error.strerror or "", do="give another python") from error
    if done.returncode:
        raise SettingError(
            f"{python} lacks torch, cornac or recbole",
            do=f"install {REQUIREMENTS.name} and, with --no-deps, {ALONE[0]} there, or leave --peers-python out",
        )


def _install(python: Path, what: list[str]) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise TrainingError(
            "the peers cannot be installed",
            where=said[-1] if said else "pip said nothing",
            do="give a python that has them with --peers-python",
        )
