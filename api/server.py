"""serve: the app under granian, several processes on one port, until it is told to stop."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from api import logs, runtime, schedule
from api.app import create_app
from api.auth import require_safe_host
from api.context import EXTENSION, Context
from api.settings import RUNTIME, Settings
from data.store import Store
from recsys.errors import DamagedBundle, NoModel, RecsysError, StoreError

# A thread that comes back from a matrix product waits for another to let go of the interpreter, so sooner than Python's
# 5 ms; sooner still, and threads that only ask the database take turns too often (docs/experiments.md).
SWITCH_SECONDS = 0.002
# glibc's: memory of the size of a row of scores is used again, not given back and asked for anew each time.
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "67108864", "MALLOC_TRIM_THRESHOLD_": "134217728"}
STOP_SECONDS = 10  # a worker that has not ended by then is killed
IDLE_SECONDS = 30  # for a client to send a request's headers, the next one's on a kept connection too
THREADS = 16  # of a worker: histories that come together are scored together, and a slow body holds up one of them
CONNECTIONS = 4096  # of a worker, idle ones too: granian's own 512 are soon held by clients that do nothing
logger = logging.getLogger("recsys.server")


def serve(settings: Settings, nightly: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first. Prints the address once it is listening.

    nightly: a local time of day, "03:00", at which to run a night, in a process beside those that serve.

    Raises SettingError for an address that other machines can reach while no key grants anything, and in debug mode;
    StoreError when there is no database to serve from; RecsysError when the port is taken.
    """
    with Store.open(settings.url) as store:  # found out here it is one clear error, and not one of each worker
        require_safe_host(settings.host, store.keys())
    port = claim_port(settings.host, settings.port)
    # The finished settings travel in one variable, so that all workers hold the same.
    os.environ.update(settings.model_copy(update={"port": port}).to_environ())
    nights_environ = dict(os.environ)  # without what follows: a night uses as many threads as there are cores
    # Fresh interpreters, not forks: a fork of a process that trained would inherit the dead locks of torch's threads.
    multiprocessing.set_start_method("spawn", force=True)
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # several processes with several threads each wait for one another
    for variable, value in _MEMORY.items():
        os.environ.setdefault(variable, value)
    server = _Server(
        "api.server:worker",
        factory=True,
        address=settings.host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # told in advance, a connection that never says anything is closed, too
        workers=settings.workers,
        blocking_threads=THREADS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=logs.configuration(settings.log_format),
    )
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    line = f"serving on http://{shown}:{port}/ with {settings.workers} processes (stop with Ctrl-C)"
    threading.Thread(target=_announce, args=(settings.host, port, line), daemon=True).start()
    with runtime.runtime_folder(), schedule.nightly(nightly, nights_environ) if nightly else nullcontext():
        server.serve()


class _Server(MPServer):
    """granian takes a worker that ends twice within 5.5 seconds for one that cannot start, and ends the whole server.
    One that was killed from outside is simply started again."""

    def _respawn_workers(self, workers: list[int], *more: Any, **options: Any) -> None:
        killed = [idx for idx in workers if self.wrks[idx].inner.exitcode == -signal.SIGKILL]
        super()._respawn_workers(workers, *more, **options)
        for idx in killed:
            self.respawned_wrks.pop(idx, None)


def _announce(host: str, port: int, line: str) -> None:
    """Say so once a worker accepts connections, not before."""
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
            continue
        print(line, flush=True)
        return


def worker() -> Flask:
    """The app of one worker process, which ends when the process that started it has gone, however that ended."""
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app()
    _warm(app.extensions[EXTENSION])
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again and again would only hold up requests
    return app


def _warm(here: Context) -> None:
    """Read what the first requests need, as far as it can be read."""
    here.service.live.watch()
    try:
        here.memory.watch()
        marks, _ = here.memory.marks()
        here.assortments.current(marks.items)
    except StoreError as error:
        logger.warning("started without a database: %s", error.what)
    try:
        here.service.live.snapshot()
    except (NoModel, DamagedBundle) as error:
        logger.warning("started without a model: %s", error.what)


def _end_with_launcher() -> None:
    """A worker left alone would go on holding the port: kill -9 of the launcher would need more kills to undo."""
    launcher = multiprocessing.parent_process()
    if launcher is None:
        return
    launcher.join()
    folder = os.environ.get(RUNTIME)
    if folder:
        runtime.remove(Path(folder))  # the launcher can no longer
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def claim_port(host: str, port: int) -> int:
    """The port, proven free by binding it; for 0 a free one. RecsysError when it is taken or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)  # on some systems only listening finds out
        except OSError as error:
            raise RecsysError(
                f"port {port} cannot be used: {error.strerror}",
                where=f"{host}:{port}",
                do="stop what listens there, or choose another with --port",
            ) from error
        return int(probe.getsockname()[1])
