"""The real server as its own processes: started on a free port, its workers told apart, stopped at the end. Linux."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process import ROOT
from benchmarks.serve.home import Home
from benchmarks.serve.load import Connection, Request
from recsys.errors import RecsysError

PROC = Path("/proc")
_ADDRESS = re.compile(r"serving on http://127\.0\.0\.1:(\d+)/")
_START_SECONDS = 180.0
_STOP_SECONDS = 30.0
OURS = "api.cli"
_EVERY = 0.02


class Server:
    """A running `recsys serve`. port: where it listens. log: the file of all that it says."""

    def __init__(self, home: Home, process: subprocess.Popen[bytes], port: int, log: Path, workers: int) -> None:
        self.home, self.process, self.port, self.log, self.n_workers = home, process, port, log, workers

    def workers(self) -> list[int]:
        """Process ids of the workers that live, without the helpers that multiprocessing starts beside them."""
        return [child for child in _children(self.process.pid) if b"spawn_main" in _command(child)]

    def worker_of(self, port: int) -> int | None:
        """The worker that holds the connection of this client port; None while nobody has taken it."""
        inode = _socket_of(self.port, port)
        if inode is None:
            return None
        link = f"socket:[{inode}]"
        return next((worker for worker in self.workers() if _holds(worker, link)), None)

    async def each(self, seconds: float = _START_SECONDS) -> dict[int, Connection]:
        """One kept connection to every worker, by process id. RecsysError when some worker takes none in that time."""
        found: dict[int, Connection] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            connection = Connection(self.port)
            worker = None
            try:
                port = await connection.open()
                await connection.ask(Request("/livez"))
                worker = self.worker_of(port)
            except (OSError, asyncio.IncompleteReadError):  # a worker that is going, or none yet
                await asyncio.sleep(_EVERY)
            if worker is None or worker in found:
                await connection.close()
            else:
                found[worker] = connection
            if len(found) >= self.n_workers:
                return found
        for connection in found.values():
            await connection.close()
        raise RecsysError(f"only {len(found)} of {self.n_workers} workers took a connection", where=str(self.log))

    async def ask_each(self, request: Request) -> None:
        """Wait until every worker has answered this, and so is through with what it was asked before."""
        for connection in (await self.each()).values():
            await connection.ask(request)
            await connection.close()

    def settle(self) -> None:
        """Wait until every worker is through with what it was asked before."""
        asyncio.run(self.ask_each(Request("/livez")))

    def memory(self) -> int:
        """Bytes held by all workers together; what they share is counted once (the proportional set size, PSS)."""
        return sum(_kilobytes(worker, "smaps_rollup", "Pss:") for worker in self.workers())

    def peaks(self) -> dict[int, int]:
        """Worker -> the most bytes it has held since ``forget_peaks`` (resident, what is shared included)."""
        return {worker: _kilobytes(worker, "status", "VmHWM:") for worker in self.workers()}

    def resident(self) -> dict[int, int]:
        """Worker -> bytes it holds (resident)."""
        return {worker: _kilobytes(worker, "status", "VmRSS:") for worker in self.workers()}

    def forget_peaks(self) -> None:
        for worker in self.workers():
            (PROC / str(worker) / "clear_refs").write_text("5")

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def serving(home: Home, workers: int = 2, module: str = OURS, **settings: str) -> Iterator[Server]:
    """`recsys serve` on a free port until the block ends. settings: further ones, by name, as text. module: what runs
    in the place of ours, with the same arguments.

    Yields once every worker answers. Raises RecsysError with the end of its log when it does not start.
    """
    log = home.folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve"],
            env=_environment(home, workers, settings),
            cwd=home.folder,  # no settings file of the caller's
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            server = Server(home, process, _port(process, log), log, workers)
            known = Request(f"/v1/users/{home.user(0)}/recommendations")
            asyncio.run(server.ask_each(known))  # now the models are in everyone's memory
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(holds: Callable[[], bool], seconds: float, what: str, every: float = _EVERY) -> float:
    """Wait until something holds; the seconds that took. RecsysError after ``seconds``."""
    started = time.perf_counter()
    while not holds():
        if time.perf_counter() - started > seconds:
            raise RecsysError(f"waited {seconds:g} s in vain until: {what}")
        time.sleep(every)
    return time.perf_counter() - started


def _environment(home: Home, workers: int, settings: dict[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
    given = {"home": str(home.folder), "port": "0", "workers": str(workers), "database_url": home.url, **settings}
    path = os.pathsep.join([str(ROOT), *filter(None, [own.get("PYTHONPATH")])])
    return {**own, "PYTHONPATH": path, **{f"RECSYS_{name.upper()}": value for name, value in given.items()}}


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _ADDRESS.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise RecsysError("the server did not start", where=log.read_text(encoding="utf-8", errors="replace")[-2000:])


def _children(parent: int) -> list[int]:
    found = []
    for entry in _listed(PROC):
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(after_name[1]) == parent and after_name[0] != "Z":
                found.append(int(entry.name))
    return sorted(found)


def _command(process: int) -> bytes:
    try:
        return (PROC / str(process) / "cmdline").read_bytes()
    except OSError:
        return b""


def _socket_of(server_port: int, client_port: int) -> str | None:
    """The inode of the server's end of a connection on this machine, as /proc/net/tcp has it (proc_net_tcp(5))."""
    for line in (PROC / "net" / "tcp").read_text().splitlines()[1:]:
        parts = line.split()
        ends = (int(parts[1].split(":")[1], 16), int(parts[2].split(":")[1], 16))
        if ends == (server_port, client_port) and parts[9] != "0":
            return parts[9]
    return None


def _holds(process: int, link: str) -> bool:
    return any(_points_to(entry) == link for entry in _listed(PROC / str(process) / "fd"))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # the process has just ended
        return []


def _points_to(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:  # a file that has just been closed
        return ""


def _kilobytes(process: int, file: str, field: str) -> int:
    """A field of a file in /proc, in bytes; 0 for a process that has just ended."""
    try:
        lines = (PROC / str(process) / file).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)
