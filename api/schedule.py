"""The embedded clock: one night a day, started by the process that started the server."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from recsys.errors import SettingError

logger = logging.getLogger("recsys.nightly")
LATE_SECONDS = 3600  # a night that could not start in time, as on a machine that slept, still starts
STOP_SECONDS = 20


def clock_time(text: str) -> tuple[int, int]:
    """ "03:00" -> (3, 0). SettingError for what is no time of day."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise SettingError(f"{text[:20]!r} is not a time of day", where="--nightly", do="write it as 03:00")
    return int(found[1]), int(found[2])


def _trigger(at: str) -> dict[str, Any]:
    hour, minute = clock_time(at)
    return {"trigger": "cron", "hour": hour, "minute": minute}


@contextmanager
def nightly(at: str, environ: Mapping[str, str]) -> Iterator[None]:
    """While the block lasts, start `recsys nightly` every day at this local time, with these variables.

    One that still runs when the block ends is asked to end (SIGTERM) and goes on the next time. Where another machine's
    clock, or cron, started one as well, the lock lets one of them work.
    """
    from apscheduler.schedulers.background import BackgroundScheduler

    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        logger.warning("starting the night")
        child = subprocess.Popen([sys.executable, "-m", "api.cli", "nightly", "--once"], env=dict(environ))
        running.append(child)
        status = child.wait()
        running.remove(child)
        logger.log(logging.WARNING if status == 0 else logging.ERROR, "the night ended with status %d", status)

    scheduler = BackgroundScheduler(job_defaults={"misfire_grace_time": LATE_SECONDS, "coalesce": True})
    scheduler.add_job(start, max_instances=1, id="nightly", **_trigger(at))
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        for child in list(running):
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
