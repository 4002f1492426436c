"""The README is true: its generated parts are up to date, its commands do what it says on the sample of the demo."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import pytest

from api.cli import cli
from api.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRON = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
# A short training in place of the demo's: what is shown here is how to ask, not how good the answers are.
QUICK = '[models.autoencoder]\npreset = "deep"\nepochs = 3\n[nightly]\nnice = 0\nactive_days = 30\n'


def blocks(heading: str, language: str) -> list[str]:
    """The blocks of a language under a heading, up to the next heading."""
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", README, re.DOTALL | re.MULTILINE)
    assert found, heading
    return re.findall(rf"^```{language}\n(.*?)^```", found[1], re.DOTALL | re.MULTILINE)


def block(heading: str, language: str = "sh") -> str:
    """The first block of a language under a heading."""
    return blocks(heading, language)[0]


def without_comment(line: str) -> str:
    return line.split("#")[0].strip()


@pytest.mark.parametrize("file", ["README.md", "docs/files.md"])
def test_the_generated_parts_are_what_the_code_says_now(file: str) -> None:
    render = runpy.run_path(str(ROOT / "docs" / "readme.py"))["render"]
    text = (ROOT / file).read_text(encoding="utf-8")
    assert render(file, text) == text, "run `make readme`"


def test_every_file_of_the_packages_says_what_it_is() -> None:
    first_sentence = runpy.run_path(str(ROOT / "docs" / "readme.py"))["first_sentence"]
    for package in ("recsys", "data", "migrations", "api", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            assert first_sentence(path) or not path.read_text().strip(), path


def test_the_files_it_links_to_are_there() -> None:
    linked = re.findall(r"\]\(([^):]+)\)", README)
    assert "docs/files.md" in linked
    for name in linked:
        assert (ROOT / name).is_file(), name


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in block("Two commands").splitlines():
        assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


def commands() -> list[str]:
    """Every line of the README that runs recsys, in its blocks of shell."""
    lines = [
        line
        for text in re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
        for line in text.splitlines()
    ]
    return [line for line in lines if re.match(r"(\w+=\S+ )*recsys ", line)]


@pytest.mark.parametrize("line", commands())
def test_every_command_has_the_options_it_is_printed_with(line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[words.index("recsys") + 1 :]
    command: click.Command | None = cli
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None
    command.make_context(None, words)  # reads the words; runs nothing


@pytest.fixture(scope="module")
def cinema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tour was typed, up to `recsys serve`."""
    folder = tmp_path_factory.mktemp("cinema")
    (folder / "data").symlink_to(ROOT / "data")
    (folder / "recsys.toml").write_text(QUICK + block("Asking over HTTP", "toml"))
    tour = [without_comment(line) for line in block("A tour in five commands").splitlines()]
    assert tour[0] == "source .venv/bin/activate"
    assert tour[-1] == "recsys serve"
    assert len(tour) == 6
    for line in tour[1:-1]:
        done = shell(line, folder)
    assert "personal" in done.stderr
    return folder


@pytest.fixture(scope="module")
def port(cinema: Path) -> Iterator[str]:
    """Where the last command of the tour serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with (cinema / "serve.log").open("wb") as log:
        server = subprocess.Popen(["recsys", "serve", "--port", port], cwd=cinema, env=ENVIRON, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert server.returncode == 0


def shell(script: str, folder: Path, port: str = "8000") -> subprocess.CompletedProcess[str]:
    """A script as printed, with the server at this port; an answer that is an error fails."""
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("curl -s", "curl -sS --fail-with-body")
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=ENVIRON, capture_output=True, text=True)
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done


def ask(port: str, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """(status, JSON) of an answer, errors too."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            if refused.headers["Content-Type"] != "application/problem+json":
                raise
            return refused.code, json.loads(refused.read())


def listed(port: str, wishes: str) -> list[tuple[str, str]]:
    """(item, source) of the rows of the README's person."""
    status, answer = ask(port, f"/v1/users/amir-0508/recommendations?{wishes}")
    assert status == 200, answer
    assert answer["strategy"] == "personal"
    return [(row["item"], row["source"]) for row in answer["items"]]


def test_nothing_trends_in_the_sample_before_feedback_comes(port: str) -> None:
    for _ in range(100):
        answer = ask(port, "/v1/items/trending?n=3")[1]
        if answer["at"] is not None:  # it was counted
            break
        time.sleep(0.1)
    assert (answer["strategy"], answer["items"]) == ("trending", [])


def test_the_answer_and_the_error_shown_have_the_keys_that_come(port: str) -> None:
    shown, error = (json.loads(text) for text in blocks("Asking over HTTP", "json"))
    first = re.search(r"127\.0\.0\.1:8000(\S+)'", block("Asking over HTTP"))
    assert first
    status, answer = ask(port, first[1])
    assert status == 200
    assert keys(shown) == keys(answer)
    assert {name: shown[name] for name in ("user", "strategy", "stale")} == {
        name: answer[name] for name in ("user", "strategy", "stale")
    }
    asked = re.search(r"`\.\.\.(/recommendations\?\S+)` is (\d+)", README)
    assert asked
    status, problem = ask(port, f"/v1/users/amir-0508{asked[1]}")
    assert status == int(asked[2])
    assert problem | {"request_id": ""} == error | {"request_id": ""}


def keys(value: Any) -> Any:
    """The keys of JSON, level by level; of a list, those of its first row."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


def test_the_questions_over_http_are_answered_as_printed(cinema: Path, port: str) -> None:
    done = shell(block("Asking over HTTP"), cinema, port)
    assert done.stdout.count('"strategy":"personal"') == 4  # a user, an anonymous history, and two of a batch
    assert '"because"' in done.stdout
    assert '"new_users":0,"new_items":0' in done.stdout  # feedback about somebody of the sample
    client = block("Asking over HTTP", "python").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    done = subprocess.run([sys.executable, "-c", client], cwd=cinema, env=ENVIRON, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5


def test_every_wish_can_be_asked_as_printed(port: str) -> None:
    table = re.search(r"^\| wish \| parameter \|\n(.*?)\n\n", README, re.DOTALL | re.MULTILINE)
    assert table
    wishes = re.findall(r"`(\w+=[^`]+)`", table[1])
    assert len(wishes) == 11
    assert all(listed(port, wish) for wish in wishes)
    assert listed(port, "n=3&preset=home")[0] == ("film-137", "pinned")
    assert not {"film-413", "film-418"} & {item for item, _ in listed(port, "exclude=film-413,film-418")}
    first, both = listed(port, "n=10&offset=0"), listed(port, "n=20")
    assert first + listed(port, "n=10&offset=10") == both
    then = listed(port, "n=10&exclude=" + ",".join(item for item, _ in first))
    assert not {item for item, _ in first} & {item for item, _ in then}


def test_items_are_described_hidden_and_deleted_as_printed(cinema: Path, port: str) -> None:
    shell(block("Titles, categories, new and hidden items"), cinema, port)
    assert ("film-601", "content") in listed(port, "n=10")
    assert listed(port, "only=film-601") == [("film-601", "content")]
    assert ask(port, "/v1/items/film-601")[1]["created"] is not None  # sent without: when it was first heard of
    assert listed(port, "only=film-601&since=2100-01-01") == []
    assert ask(port, "/v1/items/film-602")[1]["hidden"] is True
    assert listed(port, "only=film-602,film-603") == []
    assert ask(port, "/v1/items/film-603")[0] == 404

    assert ask(port, "/v1/items/film-604", "PUT", {"title": "Untold"})[0] == 200
    assert listed(port, "only=film-604") == []  # no model knows it, and it has no categories
    assert ask(port, "/v1/items/film-604", "PUT", {"categories": ["Drama"]})[1]["title"] is None  # replaced
    assert listed(port, "only=film-604") == [("film-604", "content")]

    status, answer = ask(port, "/v1/items/film-605", "PUT", {"categories": ["Courts, Crime", "Drama"]})
    assert (status, answer["categories"]) == (200, ["Courts, Crime", "Drama"])
    assert listed(port, "category=Courts%2C%20Crime") == []  # cut in two
    body = {"users": ["amir-0508"], "category": ["Courts, Crime"]}
    answers = ask(port, "/v1/recommendations:batch", "POST", body)[1]["answers"]
    assert [row["item"] for row in answers[0]["items"]] == ["film-605"]


def test_a_person_is_forgotten_as_printed(cinema: Path, port: str) -> None:
    people = ("priya-0001", "nils-0002")
    for person in people:
        assert ask(port, f"/v1/users/{person}/recommendations")[1]["strategy"] == "personal"
    shell(block("Forgetting a person"), cinema, port)
    for person in people:
        assert ask(port, f"/v1/users/{person}")[0] == 404
        assert ask(port, f"/v1/users/{person}/recommendations")[1]["strategy"] == "popular"


def test_cron_runs_a_night_as_printed_and_the_server_answers_from_what_it_left_live(cinema: Path, port: str) -> None:
    line = block("The night", "cron")
    found = re.fullmatch(r"(?:[\d*]+ ){5} (.*)\n", line)
    assert found
    assert "%" not in line  # cron makes a new line of it
    shell(found[1].replace("/srv/recsys", shlex.quote(str(cinema))).replace(".venv/bin/", "") + " || true", cinema)
    log = (cinema / "var" / "nightly.log").read_text()
    assert "the night is over: " in log, log
    [night] = json.loads(shell("recsys nightly --status --json", cinema).stdout)["nights"]
    assert night["status"] == "done"
    assert {one["model"] for one in night["verdicts"]} == {"autoencoder", "als"}
    live = night["facts"]["published"]["live"]["autoencoder"]
    for _ in range(100):
        if ask(port, "/v1/users/amir-0508/recommendations")[1]["model"]["version"] == live:
            return
        time.sleep(0.1)
    pytest.fail("the server answers from another version")


def test_keys_are_made_and_listed_as_printed(tmp_path: Path) -> None:
    for line in block("Letting others in").splitlines()[:2]:
        done = shell(without_comment(line), tmp_path)
    assert "shop" in done.stdout


def test_postgresql_is_prepared_as_printed(
    tmp_path: Path, fresh_postgresql: Callable[[], AbstractContextManager[str]]
) -> None:
    printed = block("PostgreSQL")
    address = "postgresql://user:password@host/name"
    assert address in printed
    with fresh_postgresql() as url:
        done = shell(printed.replace(address, url) + "\nrecsys db current; recsys stats", tmp_path)
    assert re.match(r"(\w+) \(newest: \1\)", done.stdout)


def test_the_preset_is_one(tmp_path: Path) -> None:
    (tmp_path / "recsys.toml").write_text(block("Asking over HTTP", "toml"))
    settings = Settings.load(tmp_path / "recsys.toml", environ={})
    assert settings.rules["home"].pin == ("film-137",)


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"{address} did not answer within 30 s")
