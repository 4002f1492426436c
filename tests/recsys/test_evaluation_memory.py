"""What a piece of work needed beyond what the process held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.evaluation.memory import PeakMemory


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel's high-water mark is Linux's")
def test_memory_that_is_freed_before_the_end_counts_and_later_work_starts_from_nothing():
    with PeakMemory() as large:
        np.ones(30_000_000, dtype=np.float32).sum()  # 120 MB
    if large.grown is None:
        pytest.skip("this system forbids setting the high-water mark back")
    with PeakMemory() as small:
        np.ones(1000, dtype=np.float32).sum()
    assert 110e6 < large.grown < 180e6
    assert small.grown < 20e6


def test_where_nobody_can_tell_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("recsys.evaluation.memory._CLEAR", tmp_path / "none" / "clear_refs")
    with PeakMemory() as memory:
        np.ones(1000).sum()
    assert memory.grown is None


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel's high-water mark is Linux's")
def test_memory_that_earlier_work_left_behind_counts_again():
    def pieces():
        return [bytes(60_000) for _ in range(1000)]  # 60 MB in pieces so small that malloc keeps what is freed

    left = pieces()
    pinned = bytes(60_000)  # above them: the heap cannot shrink by itself
    del left
    with PeakMemory() as memory:
        pieces()
    if memory.grown is None:
        pytest.skip("this system forbids setting the high-water mark back")
    assert memory.grown > 40e6
    assert len(pinned) == 60_000
