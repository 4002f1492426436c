"""A measurement in a process of its own: it answers, it is measured, and it fails loudly."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.process import alone
from recsys.errors import TrainingError

MODULE = """
from benchmarks.process import limit
from recsys.errors import DataError
import time

def measure(size=0, most=None, fault=None):
    if fault:
        raise DataError(fault)
    if most:
        limit(most, every=0.001)
    held = b"x" * size
    time.sleep(0.5 if most else 0)
    print("talk on standard output")
    return {"held": len(held)}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_measurement.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "some_measurement"


def test_the_result_comes_back_with_the_processs_own_peak_of_memory(module: str) -> None:
    small, large = alone(module, {}), alone(module, {"size": 200_000_000})
    assert small["held"] == 0
    assert large["held"] == 200_000_000
    assert 190_000_000 < large["peak"] - small["peak"] < 260_000_000


def test_a_measurement_that_fails_says_so_in_its_own_words(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="some_measurement failed with status 1"):
        alone(module, {"fault": "there is nothing to measure"})
    assert "there is nothing to measure" in capfd.readouterr().err


def test_a_process_that_passes_its_limit_of_memory_is_ended(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="more memory than it may"):
        alone(module, {"size": 400_000_000, "most": 200_000_000})
    assert "allowed 0.2 GiB" in capfd.readouterr().err
