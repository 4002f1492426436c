"""Long trainings from the command line: checkpoints, and the processes of torchrun, of which only the first speaks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api.cli import main
from recsys import candidate
from recsys.recommender import Checkpoint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rows = [f"u{n},i{i},5" for n in range(60) for i in range(16) if (n + i) % 2 == 0 and (n * 3 + i) % 5]
    (tmp_path / "log.csv").write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    together(tmp_path, 1, "import", str(tmp_path / "log.csv"))
    return tmp_path


def together(home: Path, processes: int, *arguments: str) -> list[tuple[str, str]]:
    """(stdout, stderr) of each process, started as torchrun starts them; alone, as from a shell."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if processes > 1:
        environ |= {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environ |= {"WORLD_SIZE": str(processes)}
    command = [sys.executable, "-m", "api.cli", "--home", str(home / "home"), *arguments]
    said = [(home / f"{rank}.out", home / f"{rank}.err") for rank in range(processes)]
    running = []
    for rank, (out, errors) in enumerate(said):
        with out.open("wb") as stdout, errors.open("wb") as stderr:
            own = {**environ, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            running.append(subprocess.Popen(command, env=own, stdout=stdout, stderr=stderr))
    try:
        statuses = [process.wait(timeout=120) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert statuses == [0] * processes, [errors.read_text() for _, errors in said]
    return [(out.read_text(), errors.read_text()) for out, errors in said]


def test_two_processes_train_one_version_and_one_of_them_speaks(home):
    settings = ("--set", "layers=[8]", "--set", "bottleneck=4", "--set", "epochs=3")
    first, second = together(home, 2, "train", *settings, "--publish", "--json")
    version = json.loads(first[0])["versions"]["autoencoder"]
    assert [folder.name for folder in (home / "home" / "models" / "versions").iterdir()] == [version]
    assert "step 4/4" in first[1]  # three epochs, and the linear path
    assert second == ("", "")
    recommended = together(home, 1, "recommend", "u1", "-n", "3", "--json")[0][0]
    assert len(json.loads(recommended)["items"]) == 3


def test_two_processes_evaluate_into_one_report(home):
    log, out = str(home / "log.csv"), str(home / "report")
    first, second = together(
        home, 2, "evaluate", "--interactions", log, "--models", "popularity", "--out", out, "--json"
    )
    assert json.loads(first[0])["models"].keys() == {"popularity"}
    assert (home / "report" / "report.json").is_file()
    assert second == ("", "")


def test_each_model_keeps_its_checkpoint_in_the_folder_named(home, monkeypatch):
    found = []

    def watched(name, config, data, options):
        found.append(options.checkpoint)
        return trained(name, config, data, options)

    trained = candidate.train_candidate
    monkeypatch.setattr(candidate, "train_candidate", watched)
    kept = home / "kept"
    for extra in ([], ["--checkpoint", str(kept)]):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(home / "home"), "train", "--model", "popularity", "--model", "als", *extra])
        assert ended.value.code == 0
    assert found == [None, None, Checkpoint(kept / "popularity"), Checkpoint(kept / "als")]
