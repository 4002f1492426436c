"""Long trainings from the command line: checkpoints, and the processes of torchrun, of which only the first speaks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from recsys import candidate
from recsys.recommender import Checkpoint


@pytest.fixture
def together(run_together: Any, tmp_path: Path) -> Any:
    """Call the command line in one process or several."""
    command = [sys.executable, "-m", "api.cli", "--home", str(tmp_path / "home")]
    return lambda processes, *arguments: run_together([*command, *arguments], processes, tmp_path)


@pytest.fixture
def home(together: Any, tmp_path: Path) -> Path:
    rows = [f"u{n},i{i},5" for n in range(60) for i in range(16) if (n + i) % 2 == 0 and (n * 3 + i) % 5]
    (tmp_path / "log.csv").write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    together(1, "import", str(tmp_path / "log.csv"))
    return tmp_path


def test_two_processes_train_one_version_and_one_of_them_speaks(home, together):
    settings = ("--set", "layers=[8]", "--set", "bottleneck=4", "--set", "epochs=3")
    first, second = together(2, "train", *settings, "--publish", "--json")
    version = json.loads(first[0])["versions"]["autoencoder"]
    assert [folder.name for folder in (home / "home" / "models" / "versions").iterdir()] == [version]
    assert "step 4/4" in first[1]  # three epochs, and the linear path
    assert second == ("", "")
    recommended = together(1, "recommend", "u1", "-n", "3", "--json")[0][0]
    assert len(json.loads(recommended)["items"]) == 3


def test_two_processes_evaluate_into_one_report(home, together):
    log, out = str(home / "log.csv"), str(home / "report")
    first, second = together(2, "evaluate", "--interactions", log, "--models", "popularity", "--out", out, "--json")
    assert json.loads(first[0])["models"].keys() == {"popularity"}
    assert (home / "report" / "report.json").is_file()
    assert second == ("", "")


def test_each_model_keeps_its_checkpoint_in_the_folder_named(home, monkeypatch):
    found = []

    def watched(name, config, data, options, facts):
        found.append(options.checkpoint)
        return trained(name, config, data, options, facts)

    trained = candidate.train_candidate
    monkeypatch.setattr(candidate, "train_candidate", watched)
    kept = home / "kept"
    for extra in ([], ["--checkpoint", str(kept)]):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(home / "home"), "train", "--model", "popularity", "--model", "als", *extra])
        assert ended.value.code == 0
    assert found == [None, None, Checkpoint(kept / "popularity"), Checkpoint(kept / "als")]
