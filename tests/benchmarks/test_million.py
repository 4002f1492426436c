"""The benchmark of large catalogues, on a small one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.cli import main
from benchmarks import million
from recsys.errors import SettingError, TrainingError
from tests.benchmarks.conftest import Alone


def test_the_made_up_data_has_the_size_asked_for_and_a_long_tail() -> None:
    matrix = million.made_up(2_000, 5_000, 100_000)
    assert matrix.shape == (2_000, 5_000)
    assert matrix.nnz == 100_000
    assert matrix.has_canonical_format
    assert (matrix.data == 1).all()
    assert (matrix != million.made_up(2_000, 5_000, 100_000)).nnz == 0
    taken = np.sort(np.bincount(matrix.indices, minlength=5_000))[::-1]
    assert taken[:500].sum() > 0.25 * taken.sum()
    assert (taken > 0).mean() > 0.9


def test_the_made_up_people_have_tastes(monkeypatch: pytest.MonkeyPatch) -> None:
    def beyond_chance() -> float:
        """Of the pairs of items that meet in histories, the share that popularity does not explain."""
        matrix = million.made_up(2_000, 2_000, 50_000)
        taken = np.bincount(matrix.indices, minlength=2_000)
        met = np.asarray((matrix.T @ matrix).todense())
        np.fill_diagonal(met, 0)
        expected = np.outer(taken, taken) * (met.sum() / taken.sum() ** 2)
        return float(np.maximum(met - expected, 0).sum() / met.sum())

    with_tastes = beyond_chance()
    monkeypatch.setattr(million, "_OWN_TASTE", 0.0)
    assert with_tastes > 1.4 * beyond_chance()


def test_more_than_a_sparse_matrix_holds_is_refused() -> None:
    with pytest.raises(SettingError, match="no sparse matrix"):
        million.made_up(100, 100, 5_000)


@pytest.fixture
def small(here: Alone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Everything in this process, whose memory is nobody's limit; what the limits were."""
    limits: list[float] = []
    monkeypatch.setattr(million, "alone", here)
    monkeypatch.setattr(million, "limit", limits.append)
    monkeypatch.setattr(million, "NETWORK", {"layers": [8], "bottleneck": 4})
    monkeypatch.chdir(tmp_path)
    return limits


ARGUMENTS = ["bench", "million", "--users", "200", "--items", "300", "--interactions", "3000", "--batch", "4"]


def run(*more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*ARGUMENTS, *more])
    return int(ended.value.code or 0)


def test_it_trains_an_epoch_and_three_batch_sizes_within_the_limit(
    small: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json", "--limit", "30", "--device", "cpu") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["data"]["interactions"] == 3000
    assert found["epoch"]["users"] == 200
    assert found["epoch"]["config"]["epochs"] == 1
    assert found["epoch"]["users_a_second"] > 0
    assert found["whole"]["users_a_second"] is None  # an epoch and the choice of a linear path are not one rate
    assert {size: run["config"]["batch_size"] for size, run in found["batches"].items()} == {"4": 4, "8": 8, "16": 16}
    assert {run["users"] for run in found["batches"].values()} == {128}
    assert small == [30 * 2**30] * 5  # the epoch, the whole fit, three batch sizes

    titles = [title for title, _, _ in million.tables(found)]
    assert titles[0].startswith("200 users x 300 items")
    grown = {**found["batches"], "16": {**found["batches"]["16"], "peak": found["batches"]["4"]["peak"] + 2**30}}
    assert million.tables({**found, "batches": grown})[1][0].endswith(
        "by 1.00 GiB from the smallest batch to four times it: NOT flat"
    )


def test_a_peak_above_the_limit_is_an_error_even_when_the_process_lived(small: list[float]) -> None:
    with pytest.raises(TrainingError, match=r"allowed are 0\.0"):
        million.main(200, 300, 3000, batch=4, most=0.01, device="cpu")
