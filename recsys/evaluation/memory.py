"""PeakMemory: how much more memory a piece of work needed than the process held before it."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from types import TracebackType
from typing import Self

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """``with PeakMemory() as memory: work()``; afterwards ``memory.grown`` is in bytes, None where nobody can tell.

    From the kernel's own high-water mark (Linux: VmHWM of /proc/self/status, set back by writing 5 to clear_refs), so
    what libraries allocate counts and nothing is sampled. What the process had freed is given back first (glibc's
    malloc_trim), or work that reuses it would seem to need none. Memory of a GPU is not counted.
    """

    grown: int | None = None

    def __enter__(self) -> Self:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        self._before = _resident("VmRSS") if _set_back() else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        peak = _resident("VmHWM")
        if self._before is not None and peak is not None:
            self.grown = max(peak - self._before, 0)


def _set_back() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False  # another system, or a container that forbids it
    return True


def _resident(name: str) -> int | None:
    """Bytes, from a line such as "VmHWM:   123456 kB"."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)
