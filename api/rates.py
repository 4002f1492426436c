"""Rate limits: how often a key may call, counted for all workers of a host together."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import threading
import time
import weakref
from hashlib import blake2b
from pathlib import Path

STRANGER_RATE, STRANGER_BURST = 10, 50  # wrong and revoked keys, all together
_STRANGERS = "strangers"
_SLOTS = 4096  # more than there are callers within the seconds that a bucket takes to refill
_PROBED = 32
_SLOT = struct.Struct("=QQ")  # whose it is; until when it is taken, in nanoseconds of the monotonic clock


class RateLimiter:
    """The generic cell rate algorithm (ITU-T I.371): a caller has a bucket of ``burst`` requests, refilled at ``rate``
    a second. Within any t seconds at most burst + rate * t requests pass, through whichever worker.

    rate: requests a second, 0: no limits at all. burst: requests at once. path: a file that all workers map, made where
    it is missing and not older than the last start of this machine; None: this process counts alone. One limiter a file
    and process: POSIX locks do not hold between two of the same process. Safe to share between threads.

    A slot whose time has passed is a full bucket, as is no slot at all: it may be given to another caller.
    """

    def __init__(self, rate: float, burst: int, path: Path | None = None) -> None:
        self.rate = rate
        self.burst = burst
        if path is None:
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())
        else:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _SLOTS * _SLOT.size)
        self._table = mmap.mmap(self._file, _SLOTS * _SLOT.size)
        weakref.finalize(self, os.close, self._file)
        self._threads = threading.Lock()
        self._hashes: dict[str, int] = {}

    def wait(self, caller: str) -> float:
        """Count a request of a known caller: 0.0 when it may pass, else the seconds until the next one may."""
        if self.rate <= 0:
            return 0.0
        hashed = self._hashes.get(caller)
        if hashed is None:  # callers are keys that exist: this cannot grow without end
            hashed = self._hashes[caller] = _hash(caller)
        return self._take(hashed, self.rate, self.burst)

    def wait_stranger(self) -> float:
        """Count a request with a key that opens nothing."""
        return 0.0 if self.rate <= 0 else self._take(_hash(_STRANGERS), STRANGER_RATE, STRANGER_BURST)

    def _take(self, hashed: int, rate: float, burst: int) -> float:
        interval = int(1e9 / rate)
        with self._threads:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                now = time.monotonic_ns()
                at, owner, until = self._slot(hashed, now)
                if not now < until <= now + interval * burst:  # idle, or a file from before this machine started
                    until = now
                wait = until + interval - now - interval * burst
                if wait <= 0:
                    _SLOT.pack_into(self._table, at, owner, until + interval)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        return max(wait, 0) / 1e9

    def _slot(self, hashed: int, now: int) -> tuple[int, int, int]:
        """(where, whose, taken until when) of a caller's slot: its own, else an idle one, else one to share."""
        free = None
        for step in range(_PROBED):
            at = (hashed + step) % _SLOTS * _SLOT.size
            owner, until = _SLOT.unpack_from(self._table, at)
            if owner == hashed:
                return at, owner, until
            if free is None and until <= now:
                free = at, hashed, until
        return free if free is not None else (at, owner, until)


def _hash(caller: str) -> int:
    return int.from_bytes(blake2b(caller.encode(), digest_size=8).digest(), "little")
