"""The benchmark of training, on small data: what it counts, what it times, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from api.cli import main
from benchmarks.train import bench, step
from benchmarks.train.environment import REQUIREMENTS, peers_python
from benchmarks.train.operations import kind_of, shares
from benchmarks.train.peers import PEERS, Watch
from benchmarks.train.split import Parts, judged
from recsys.errors import SettingError
from recsys.models import create
from recsys.recommender import FitOptions, Holdout
from tests.benchmarks.conftest import Alone


def histories(users: int = 60, items: int = 40) -> csr_matrix:
    """Half the people like the first half of the items, the others the second."""
    rng = np.random.default_rng(0)
    liked = (np.arange(users)[:, None] % 2) == (np.arange(items)[None, :] * 2 // items)
    return csr_matrix((rng.random((users, items)) < np.where(liked, 0.6, 0.02)).astype(np.float32))


NETWORKS: dict[str, Mapping[str, Any]] = {
    "dense": {"layers": [7, 5, 3], "bottleneck": 4},
    "plain with a deep decoder": {"layers": [7, 5], "bottleneck": 4, "dense": False, "decoder_layers": [6, 5]},
    "variational": {"layers": [7], "bottleneck": 4, "variational": True},
    "no hidden layer": {"layers": [], "bottleneck": 4},
}


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_multiply_adds_are_those_that_torch_makes(settings: Mapping[str, Any]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    matrix = histories()
    model = create("autoencoder", **settings, epochs=1)
    with FlopCounterMode(display=False) as counter:
        model.fit(matrix, FitOptions(device="cpu", validation=Holdout(matrix[:0], matrix[:0])))
    assert counter.get_total_flops() == 2 * len(matrix.indptr[1:]) * step.multiply_adds(model.config, matrix.shape[1])


def test_a_height_is_passed_at_the_first_moment_above_it_or_when_all_is_done() -> None:
    peer = {"curve": [(1.0, 0.2), (2.0, 0.5), (3.0, 0.4)], "validation": 0.5}
    assert bench.passes(peer, 0.3) == 2.0
    assert bench.passes(peer, 0.5) is None
    ours = {**peer, "seconds": 9.0, "validation": 0.6}  # the finished model is better than its parts
    assert bench.passes(ours, 0.3) == 2.0
    assert bench.passes(ours, 0.5) == 9.0
    assert bench.passes(ours, 0.6) is None


def test_a_split_is_the_same_after_a_folder_and_a_perfect_model_is_judged_perfect(tmp_path: Path) -> None:
    matrix = histories()
    held = Holdout.of(matrix[50:], 0.8, np.random.default_rng(0))
    Parts(matrix[:50], held, held).save(tmp_path)
    parts = Parts.load(tmp_path)
    assert (parts.train != matrix[:50]).nnz == 0
    assert (parts.validation.hidden != held.hidden).nnz == 0

    class Knowing:
        def score(self, rows: csr_matrix) -> np.ndarray:
            return held.hidden.toarray()

    assert judged(Knowing(), parts.test) == pytest.approx(1.0)


def test_a_peer_is_judged_after_every_epoch_and_stopped_when_it_gets_no_better() -> None:
    matrix = histories()
    held = Holdout.of(matrix[50:], 0.8, np.random.default_rng(0))
    quality = iter([0.0, 1.0, 1.0, 0.5, 0.5])
    state = {"sign": 0.0}

    def score(rows: csr_matrix) -> np.ndarray:
        return state["sign"] * held.hidden.toarray() + np.linspace(0, 1e-3, rows.shape[1])

    watch = Watch("a peer", Parts(matrix[:50], held, held), score, (10, 2))
    more = []
    for state["sign"] in quality:
        more.append(watch(0.5))
        if not more[-1]:
            break
    found = watch.found()
    assert more == [True, True, True, False]
    assert [seconds for seconds, _ in found["curve"]] == [0.5, 1.0, 1.5, 2.0]
    assert found["validation"] == found["test"] == pytest.approx(1.0)
    assert found["curve"][0][1] < 0.9


def test_the_peers_run_on_the_projects_torch_and_a_python_without_them_is_named(tmp_path: Path) -> None:
    constraints = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    pinned = next(line for line in constraints if line.startswith("torch=="))
    assert pinned in REQUIREMENTS.read_text().splitlines()
    with pytest.raises(SettingError, match="cannot be run"):
        peers_python(tmp_path, tmp_path / "no-python")


def test_operations_are_told_apart_by_their_names() -> None:
    import torch

    assert kind_of("aten::addmm") == kind_of("aten::mm") == "products"
    assert kind_of("aten::_fused_adamw_") == "optimizer and average"
    assert kind_of("aten::_embedding_bag_dense_backward") == "first layer"
    a = torch.randn(200, 200)
    found = shares(lambda: [a @ a for _ in range(20)], cuda=False)
    assert next(iter(found)) == "products"
    assert sum(found.values()) == pytest.approx(1.0)


@pytest.fixture
def small(here: Alone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The benchmark in this process with small networks and peers that are only told; a file of ratings."""
    told = {
        "epoch_seconds": [50.0, 50.0], "curve": [[50.0, 0.01], [100.0, 0.02]], "validation": 0.02, "test": 0.02,
        "peak": 1,
    }  # fmt: skip

    def measure(module: str, arguments: Mapping[str, Any], **how: Any) -> dict[str, Any]:
        return dict(told) if module == "benchmarks.train.peers" else here(module, arguments, **how)

    network = {"linear": "none", "layers": [8], "bottleneck": 4, "epochs": 3}
    monkeypatch.setattr(bench, "alone", measure)
    monkeypatch.setattr(bench, "OURS", {"autoencoder": ("autoencoder", network), "tuned als": ("als", {"factors": 4})})
    monkeypatch.setattr(bench, "peers_python", lambda home, python: python or home)
    monkeypatch.setattr(step, "_LEAST", 0.001)
    monkeypatch.chdir(tmp_path)
    coo = histories(100).tocoo()
    rows = [f"u{user},i{item},5" for user, item in zip(coo.row, coo.col, strict=True)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *rows, "u0,i0,1"]) + "\n")
    return tmp_path


def run(*more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "train", "--interactions", "ratings.csv", "--epochs", "2", "--device", "cpu", *more])
    return int(ended.value.code or 0)


def test_the_step_is_measured_beside_products_and_ours_beside_peers(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--json", "--kinds", "--peers-python", "python") == 0
    found = json.loads(capsys.readouterr().out)
    rates = found["step"]["products"][found["step"]["fastest"]]
    assert found["step"]["share"] == pytest.approx(found["step"]["step"] / rates["forward"])
    assert len(found["step"]["epoch_seconds"]) == 4  # two rounds of two
    assert set(found["quality"]) == {"autoencoder", "tuned als", *PEERS}
    ours = found["quality"]["autoencoder"]
    assert len(ours["curve"]) == 3
    assert 0 < ours["validation"] <= 1
    assert ours["validation"] == pytest.approx(max(value for _, value in ours["curve"]), abs=1e-5)
    passed = next(seconds for seconds, value in ours["curve"] if value > 0.02)
    assert found["times"]["autoencoder"]["Cornac VAECF"] == pytest.approx(100.0 / passed)


def test_what_a_person_reads_names_the_ratios(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--min-value", "4", "--peers") == 0
    shown = capsys.readouterr().out
    assert "training step" in shown
    assert "float32: decoder's forward product" in shown
    assert "a peer's seconds to its best / ours to pass it" in shown
    assert "tuned als" in shown
