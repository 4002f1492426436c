"""serve: the app under granian, several processes on one port, until it is told to stop."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time

from flask import Flask

from api.app import create_app
from api.auth import require_safe_host
from api.settings import Settings
from data.store import Store
from recsys.errors import RecsysError

STOP_SECONDS = 10  # a worker that has not ended by then is killed


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first. Prints the address once it is listening.

    Raises SettingError for an address that other machines can reach, StoreError when there is no database to serve
    from, RecsysError when the port is taken.
    """
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    require_safe_host(settings.host)
    with Store.open(settings.url) as store:
        store.ping()  # found out here it is one clear error; in the workers it would be one for each, again and again
    port = claim_port(settings.host, settings.port)
    # The finished settings travel in one variable, so that all workers hold the same.
    os.environ.update(settings.model_copy(update={"port": port}).to_environ())
    # Fresh interpreters, not forks: a fork of a process that trained would inherit the dead locks of torch's threads.
    multiprocessing.set_start_method("spawn", force=True)
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # several processes with several threads each wait for one another
    server = Server(
        "api.server:worker",
        factory=True,
        address=settings.host,
        port=port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=1,  # one model answer keeps a core busy: more threads would only share it
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
    )
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    line = f"serving on http://{shown}:{port}/ with {settings.workers} processes (stop with Ctrl-C)"
    threading.Thread(target=_announce, args=(settings.host, port, line), daemon=True).start()
    server.serve()


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
    return create_app()


def _end_with_launcher() -> None:
    """A worker left alone would go on holding the port: kill -9 of the launcher would need more kills to undo."""
    launcher = multiprocessing.parent_process()
    if launcher is None:
        return
    launcher.join()
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
