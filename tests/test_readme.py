"""The README is true: its generated parts are up to date, and its commands do what it says."""

from __future__ import annotations

import os
import re
import runpy
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from api.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(heading: str, language: str = "sh") -> str:
    """The first block of a language under a heading."""
    found = re.search(rf"^##+ {heading}\n.*?```{language}\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def test_the_generated_parts_are_what_the_code_says_now() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "readme.py"))["render"]
    assert render(README) == README, "run `make readme`"


def test_every_file_of_the_packages_says_what_it_is() -> None:
    first_sentence = runpy.run_path(str(ROOT / "docs" / "readme.py"))["first_sentence"]
    for package in ("recsys", "data", "migrations", "api", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            assert first_sentence(path) or not path.read_text().strip(), path


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in block("Two commands").splitlines():
        assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    people = ["alice", *(f"u{n}" for n in range(40))]
    rows = [
        f"{person},i{i},5,{1_700_000_000 + i}"
        for n, person in enumerate(people)
        for i in range(16)
        if (n + i) % 2 == 0 and (n * 3 + i) % 5
    ]
    (tmp_path / "ratings.csv").write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_the_tour_and_the_questions_over_http_work_as_printed(log: Path) -> None:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    tour = [line.split("#")[0].strip() for line in block("A tour in five commands").splitlines()]
    assert tour[0] == "source .venv/bin/activate"
    assert tour[-1] == "recsys serve"
    assert len(tour) == 6
    for line in tour[1:-1]:
        done = subprocess.run(["bash", "-c", line], cwd=log, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
    assert "personal" in done.stderr

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = subprocess.Popen(["recsys", "serve", "--port", port], cwd=log, env=environ, stderr=subprocess.PIPE)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        script = block("Asking over HTTP").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        script = script.replace("curl -s", "curl -sS --fail-with-body")
        done = subprocess.run(["bash", "-ec", script], cwd=log, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert done.stdout.count('"strategy":"personal"') == 4  # alice, the anonymous history, and two of a batch
        assert '"because"' in done.stdout
        client = block("Asking over HTTP", "python").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        done = subprocess.run([sys.executable, "-c", client], cwd=log, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 5
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert server.returncode == 0


def test_keys_are_made_and_listed_as_printed(log: Path) -> None:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in [line.split("#")[0].strip() for line in block("Letting others in").splitlines()][:2]:
        done = subprocess.run(["bash", "-c", line], cwd=log, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
    assert "shop" in done.stdout


def test_the_preset_is_one(log: Path) -> None:
    (log / "recsys.toml").write_text(block("Asking over HTTP", "toml"))
    settings = Settings.load(log / "recsys.toml", environ={})
    assert settings.rules["home"].pin == ("i9",)


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"{address} did not answer within 30 s")
