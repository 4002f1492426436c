"""The lock that whoever writes into a folder holds."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import AlreadyRunning
from recsys.serving.files import unwritable

_POLL_SECONDS = 0.01


@contextmanager
def locked(folder: Path, patience: float) -> Iterator[None]:
    """Holds the lock of a folder, which is made if need be; the kernel frees it when its holder dies, however it dies.

    patience: seconds to wait for another holder before AlreadyRunning. StoreError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        end = time.monotonic() + patience
        while not _taken(descriptor):
            if time.monotonic() >= end:
                raise AlreadyRunning("another process is publishing", where=str(folder), do="try again in a moment")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
