"""The wheel, installed into an empty folder away from the checkout, migrates, imports, trains, answers and serves."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: building in place would leave build/ and egg-info behind
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("recsys-*.whl"))


def test_the_wheel_ships_the_migrations_the_sample_and_the_pages_but_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("migrations/versions/0") for name in names)
    assert any(name.startswith("data/sample/") and not name.endswith(".py") for name in names)
    for package in ("api/pages", "recsys/reports", "recsys/anomalies"):
        assert any(name.startswith(f"{package}/templates/") for name in names), package
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"api", "data", "migrations", "recsys"}


def test_the_installed_wheel_migrates_imports_trains_answers_and_serves(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--target", str(installed), str(wheel)], check=True)
    # PYTHONPATH reads no .pth files, so the editable checkout is out of sight and only its dependencies are shared.
    environ = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{sysconfig.get_path('purelib')}"}

    def recsys(*arguments: str) -> str:
        command = [sys.executable, "-S", "-m", "api.cli", "--home", "home", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [sys.executable, "-S", "-c", "import api, migrations; print(api.__file__, migrations.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True).stdout.split()
    assert all(path.startswith(str(installed)) for path in found)

    rows = [f"u{u},i{i},5" for u in range(12) for i in range(10) if (u + i) % 2 == 0 and (u * 3 + i) % 7]
    (tmp_path / "log.csv").write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    recsys("import", "log.csv")
    recsys("train", "--model", "popularity", "--publish")
    assert json.loads(recsys("stats", "--json"))["interactions"] == len(rows)
    answer = json.loads(recsys("recommend", "u0", "-n", "2", "--model", "popularity", "--json"))
    assert len(answer["items"]) == 2
    recsys("db", "current")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-S", "-m", "api.cli", "--home", "home", "serve", "--port", address.rsplit(":", 1)[1]]
    server = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert address in server.stdout.readline()  # said once it listens
        with urllib.request.urlopen(f"{address}/v1/users/u0/recommendations?n=2", timeout=30) as answered:
            assert [row["item"] for row in json.load(answered)["items"]] == [row["item"] for row in answer["items"]]
        with urllib.request.urlopen(f"{address}/?user=u0", timeout=30) as page:
            assert "u0" in page.read().decode()
    finally:
        server.terminate()
        server.communicate(timeout=20)
