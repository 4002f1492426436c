"""How many threads BLAS uses: one for small systems, and for what OpenBLAS cannot do with more."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

_SMALL = 5_000  # the side of a system up to which one thread needs a second or two for it


def blas_threads(side: int) -> AbstractContextManager[object]:
    """Inside, BLAS uses one thread for a system of this many rows, where that is few; else as many as it would.

    Threads that wait for each other cost more than they bring there, and on a busy machine ten times as much: a closed
    form of MovieLens 1M took 20 to 35 s instead of 2, its low-pass filter 38 s instead of 1.
    """
    return one_blas_thread() if side < _SMALL else nullcontext()


def one_blas_thread() -> AbstractContextManager[object]:
    """Inside, BLAS uses one thread."""
    from threadpoolctl import threadpool_limits  # 10 ms that serving does without

    return threadpool_limits(1, "blas")
