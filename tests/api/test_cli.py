"""The command line as people meet it: help with examples, answers, and what the commonest mistakes say."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from api.cli import COMMANDS, cli, main
from api.cli.output import program

LOG = "user,item,rating,timestamp\n" + "".join(
    f"{user},{item},{5 if (u + i) % 2 == 0 else 1},{1_700_000_000 + 60 * u + i}\n"
    for u, user in enumerate(["alice", "bob", "carol", "dave", "erin", "frank"])
    for i, item in enumerate([f"i{n}" for n in range(10)])
    if (u * 7 + i * 3) % 5
)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small log imported and two models live; tests copy it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "log.csv").write_text(LOG)
    home = folder / "home"
    for arguments in (
        ["--home", str(home), "import", str(folder / "log.csv")],
        ["--home", str(home), "train", "--model", "als", "--model", "popularity", "--publish"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
    return home


@pytest.fixture
def home(trained_home: Path, tmp_path: Path) -> str:
    return str(shutil.copytree(trained_home, tmp_path / "home"))


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    ctx = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize(
    ("path", "command"), commands(cli), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_help_with_an_example_of_itself(
    path: tuple[str, ...], command: click.Command, run: Any
) -> None:
    outcome = run(*path, "--help")
    assert outcome.status == 0
    assert command.epilog
    assert "Example" in command.epilog
    assert f"recsys {' '.join(path)}" in command.epilog
    assert "Example" in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert COMMANDS[name][1].endswith(".")


def test_help_imports_no_numbers(run: Any) -> None:
    import subprocess

    code = "import sys; sys.argv=['recsys','--help']\nfrom api.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print([m for m in ('numpy','pandas','torch','sqlalchemy','flask','rich','pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_a_log_becomes_a_recommendation(run: Any, home: str) -> None:
    outcome = run("--home", home, "recommend", "alice", "-n", "3", "--model", "als", "--json")
    answer = json.loads(outcome.out)
    assert outcome.status == 0
    assert answer["strategy"] == "personal"
    assert answer["model"]["name"] == "als"
    assert [row["rank"] for row in answer["items"]] == list(range(1, len(answer["items"]) + 1))
    seen = {line.split(",")[1] for line in LOG.splitlines() if line.startswith("alice,")}
    assert not seen & {row["item"] for row in answer["items"]}


def test_stats_count_the_store(run: Any, home: str) -> None:
    counts = json.loads(run("--home", home, "stats", "--json").out)
    rows = len(LOG.splitlines()) - 1
    assert (counts["users"], counts["items"], counts["interactions"]) == (6, 10, rows)
    assert counts["span"][0].startswith("2023-11-14T")


def test_a_second_import_changes_nothing(run: Any, home: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    before = run("--home", home, "stats", "--json").out
    done = json.loads(run("--home", home, "import", "log.csv", "--json").out)
    assert done["added"] == 0
    assert run("--home", home, "stats", "--json").out == before


def test_a_dry_run_stores_nothing(run: Any, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    outcome = run("--home", "h", "import", "log.csv", "--dry-run")
    assert outcome.status == 0
    assert "nothing was stored" in outcome.err
    assert not (tmp_path / "h").exists()


def test_bad_rows_are_put_aside_with_line_and_reason_or_stop_the_import(run: Any, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,rating\na,i1,5\nb,,4\nc,i2,nan\n")
    failed = run("--home", "h", "import", "log.csv", "--on-bad-row", "fail")
    assert failed.status == 1
    assert "line 3" in failed.err
    assert json.loads(run("--home", "h", "stats", "--json").out)["interactions"] == 0
    outcome = run("--home", "h", "import", "log.csv")
    assert outcome.status == 0
    assert "line 3" in outcome.err
    assert "line 4" in outcome.err
    counts = json.loads(run("--home", "h", "stats", "--json").out)
    assert (counts["interactions"], counts["quarantined"]) == (1, 2)


def test_a_user_unknown_to_the_model_is_personal_after_three_events_and_popular_before(
    run: Any, home: str, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("user\nnewcomer\n")
    (tmp_path / "few.csv").write_text("user,item,rating\nnewcomer,i0,5\nnewcomer,i2,5\nnewcomer,i4,5\n")
    (tmp_path / "other.csv").write_text("user,item,rating\nalice,i0,5\n")
    run("--home", home, "import", "other.csv", "--users", "people.csv")
    assert json.loads(run("--home", home, "recommend", "newcomer", "--json").out)["strategy"] == "popular"
    run("--home", home, "import", "few.csv")
    assert (
        json.loads(run("--home", home, "recommend", "newcomer", "--model", "als", "--json").out)["strategy"]
        == "personal"
    )


def test_versions_are_listed_verified_and_rolled_back(run: Any, home: str) -> None:
    first = {row["version"] for row in json.loads(run("--home", home, "models", "list", "--json").out) if row["live"]}
    assert run("--home", home, "train", "--model", "popularity", "--seed", "1", "--publish").status == 0
    second = {row["version"] for row in json.loads(run("--home", home, "models", "list", "--json").out) if row["live"]}
    assert second != first
    assert run("--home", home, "models", "verify").status == 0
    assert run("--home", home, "models", "rollback").status == 0
    third = {row["version"] for row in json.loads(run("--home", home, "models", "list", "--json").out) if row["live"]}
    assert third == first


@pytest.mark.parametrize("what", ["interactions", "recommendations", "embeddings"])
def test_exports_are_whole_files(run: Any, home: str, tmp_path: Path, what: str) -> None:
    import pandas as pd

    assert run("--home", home, "export", what, "out.parquet", "--model", "als").status == 0
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert len(frame) > 5
    assert "item" in frame
    assert not list(tmp_path.glob(".out*"))


def test_forget_removes_a_person(run: Any, home: str) -> None:
    assert run("--home", home, "forget", "bob").status == 0
    assert run("--home", home, "recommend", "bob").status == 1
    assert run("--home", home, "forget", "bob").status == 1


def tastes(path: Path, users: int = 60) -> str:
    """A log of two tastes among 20 items, in a file."""
    rows = [f"u{u},i{i},5" for u in range(users) for i in range(20) if u % 2 == i % 2 and (u * 5 + i * 3) % 7]
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    return str(path)


def test_an_evaluation_tunes_on_validation_data_alone_and_reports_it(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the models are compared, whoever looks at the test part fails the test."""
    from recsys.evaluation import protocols
    from recsys.evaluation import run as evaluation
    from recsys.evaluation.split import Split

    touchable: list[bool] = []

    class Guarded(Split):
        def __getattribute__(self, name: str) -> Any:
            if name in ("given", "hidden", "users"):
                assert touchable, f"the test part was touched: {name}"
            return super().__getattribute__(name)

    def guarded(*arguments: Any, **options: Any) -> Guarded:
        split = strong(*arguments, **options)
        return Guarded(**{field.name: getattr(split, field.name) for field in fields(split)})

    def compared(*arguments: Any, **options: Any) -> Any:
        touchable.append(True)
        return compare(*arguments, **options)

    strong, compare = protocols.strong, evaluation.compare
    monkeypatch.setattr(protocols, "strong", guarded)
    monkeypatch.setattr(evaluation, "compare", compared)
    log = tastes(tmp_path / "log.csv")
    (tmp_path / "recsys.toml").write_text("[models.als]\nfactors = 5\niterations = 3\n")
    ask = ("evaluate", "--interactions", log, "--models", "als,popularity", "--tune", "3", "--json")
    outcome = run("--home", "h", *ask, "--out", "first")
    assert outcome.status == 0, outcome.err
    assert touchable == [True]

    report = json.loads(outcome.out)
    tuning = report["protocol"]["tuning"]
    assert (tuning["metric"], tuning["budget"]) == ("ndcg@100", {"seconds": None, "trials": 3})
    assert list(tuning["models"]) == ["als"]
    assert tuning["models"]["als"]["trials"] == 3
    assert tuning["models"]["als"]["value"] >= tuning["models"]["als"]["start_value"]
    chosen = tuning["models"]["als"]["chosen"]
    assert report["models"]["als"]["config"] == {"iterations": 3, "recency": 0.0, **chosen}
    assert [check["status"] for check in report["checks"] if check["name"] == "yardstick tuned"] == ["ok"]

    assert "als: tuning, trial 1 " in outcome.err
    assert "budget 3 trials" in outcome.err
    found = tomllib.loads(outcome.err[outcome.err.index("[models.als]") : outcome.err.index("popularity: nothing")])
    assert found == {"models": {"als": chosen}}

    again = run("--home", "h", *ask, "--out", "second")
    assert "3 from an earlier run" in again.err
    assert json.loads(again.out)["protocol"]["tuning"] == tuning


def test_a_training_tunes_what_is_not_set_on_held_out_users(run: Any, tmp_path: Path) -> None:
    run("--home", "h", "import", tastes(tmp_path / "log.csv"))
    outcome = run(
        "--home", "h", "train", "--model", "als", "--set", "factors=6", "--set", "iterations=2", "--tune", "3"
    )
    assert outcome.status == 0, outcome.err
    assert "factors =" not in outcome.err
    (version,) = json.loads(run("--home", "h", "models", "list", "--json").out)
    config = json.loads(run("--home", "h", "models", "show", version["version"]).out)["config"]
    found = tomllib.loads(outcome.err[outcome.err.index("[models.als]") : outcome.err.index("als: step")])
    assert config == {"factors": 6, "iterations": 2, "recency": 0.0, **found["models"]["als"]}
    assert set(found["models"]["als"]) == {"alpha", "regularization"}


def test_a_tuning_that_cannot_be_is_refused_before_it_starts(run: Any, tmp_path: Path, home: str) -> None:
    log = tastes(tmp_path / "log.csv")
    ask = ("--home", "h", "evaluate", "--interactions", log, "--models", "als,popularity")
    three_lines(run(*ask, "--tune", "0"), 2, "--tune", "'0'")
    three_lines(run(*ask, "--tune", "soon"), 2, "--tune", "'soon'")
    three_lines(run(*ask, "--tune-seconds", "0"), 2, "--tune-seconds")
    three_lines(run(*ask, "--tune-metric", "mrr"), 2, "--tune-metric goes with --tune")
    three_lines(run(*ask, "--tune", "--tune-metric", "luck@3"), 2, "luck@3")
    three_lines(run(*ask, "--tune", "--metrics", "luck@3"), 2, "luck@3")
    (tmp_path / "recsys.toml").write_text("[models.popularity]\ncolour = 1\n")
    three_lines(run(*ask, "--tune"), 2, "colour")
    (tmp_path / "recsys.toml").unlink()
    assert not (tmp_path / "h" / "tuning").exists()
    three_lines(run("--home", home, "train", "--model", "als", "--tune", "1"), 1, "6 users", "--tune")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_search_is_a_bar_on_a_terminal_and_plain_lines_elsewhere(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.cli.tuning import TuningProgress
    from recsys.tuning.budget import Budget
    from recsys.tuning.journal import Trial
    from recsys.tuning.search import TuningStep

    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "60")
    progress, pruned, best = TuningProgress(), Trial("pruned", {}, 0.25, 15.0), Trial("done", {}, 0.5, 0.5)
    progress(TuningStep("als", "ndcg@100", 7, 59.0, Budget(120.0), 0.49, None, 0.4, None))  # too soon to be shown
    progress.last -= 5
    progress(TuningStep("als", "ndcg@100", 7, 60.0, Budget(120.0), 0.5, 0.25, 0.4, pruned))
    progress(TuningStep("als", "ndcg@100", 8, 60.5, Budget(120.0), 0.504, 0.5, 0.5, best))
    progress.close()
    shown = capsys.readouterr().err
    if terminal:
        assert shown.split("\r")[1:] == [
            "\x1b[2K[############............] als: tuning, trial 7  ndcg@100 0",
            "\x1b[2K[############............] als: tuning, trial 8  ndcg@100 0\n",
        ]
    else:
        assert shown.splitlines() == [
            "als: tuning, trial 7  ndcg@100 0.2500 pruned (best 0.4000)  60 s, budget 120 s",
            "als: tuning, trial 8  ndcg@100 0.5000 (best 0.5000)  60 s, budget 120 s",
        ]


def test_a_tuning_under_torchrun_is_refused(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    three_lines(run("--home", "h", "train", "--tune"), 2, "one process")


# The commonest mistakes: each says what, where and what to do in at most three lines, and ends with its status.


def three_lines(outcome: Any, status: int, *words: str) -> None:
    lines = outcome.err.strip().splitlines()
    errors = lines[next(n for n, line in enumerate(lines) if line.startswith("error: ")) :]
    assert outcome.status == status, outcome
    assert len(errors) <= 3, errors
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in " ".join(errors), errors


def test_a_missing_file(run: Any) -> None:
    three_lines(run("--home", "h", "import", "nowhere.csv"), 1, "nowhere.csv")


def test_a_wrong_column(run: Any, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("who,what\na,b\n")
    three_lines(run("--home", "h", "import", "log.csv"), 1, "log.csv", "who", "--columns")
    three_lines(run("--home", "h", "import", "log.csv", "--columns", "user=who,item=sku"), 1, "sku", "what")
    three_lines(run("--home", "h", "import", "log.csv", "--columns", "person=who"), 2, "--columns", "person")


def test_an_empty_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("")
    three_lines(run("--home", "h", "import", "log.csv"), 1, "empty", "log.csv")


def test_no_data_yet(run: Any) -> None:
    three_lines(run("--home", "h", "train"), 1, "no data", "recsys import")


def test_no_model_yet(run: Any, home: str) -> None:
    shutil.rmtree(Path(home) / "models")
    three_lines(run("--home", home, "recommend", "alice"), 1, "no model", "recsys train")


def test_an_unknown_user_and_an_unknown_item(run: Any, home: str) -> None:
    three_lines(run("--home", home, "recommend", "ghost"), 1, "ghost", "do:")
    three_lines(run("--home", home, "similar", "ghost"), 1, "ghost")
    three_lines(run("--home", home, "recommend", "--items", "i1,ghost"), 1, "ghost")


def test_an_unknown_model_and_an_unknown_model_setting(run: Any, home: str) -> None:
    three_lines(run("--home", home, "train", "--model", "magic"), 2, "magic", "popularity")
    three_lines(run("--home", home, "train", "--model", "als", "--set", "factor=3"), 2, "factor", "factors")


def test_a_port_that_is_taken(run: Any, home: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        three_lines(run("--home", home, "serve", "--port", str(port)), 1, str(port), "--port")


def test_a_locked_database(run: Any, home: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item\na,b\n")
    other = sqlite3.connect(Path(home) / "recsys.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        three_lines(run("--home", home, "import", "log.csv"), 1, "locked", "recsys.db")
    finally:
        other.close()


def test_a_database_of_another_schema(run: Any, home: str) -> None:
    with sqlite3.connect(Path(home) / "recsys.db") as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()
    three_lines(run("--home", home, "stats"), 1, "9999", "recsys db upgrade")


def test_a_file_that_is_no_database(run: Any, home: str) -> None:
    for file in Path(home).glob("recsys.db*"):
        file.unlink()
    (Path(home) / "recsys.db").write_bytes(b"this is not a database at all, not even close" * 100)
    three_lines(run("--home", home, "stats"), 1, "recsys.db", "not a SQLite database")


def test_a_folder_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "log.csv").write_text("user,item\na,b\n")
    three_lines(run("--home", "file/home", "import", "log.csv"), 1, "file/home", "--home")


def test_a_damaged_bundle(run: Any, home: str) -> None:
    for weights in (Path(home) / "models").rglob("*.safetensors"):
        damaged = bytearray(weights.read_bytes())
        damaged[-1] ^= 1
        weights.write_bytes(damaged)
    three_lines(run("--home", home, "recommend", "alice"), 1, "safetensors", "do:")
    three_lines(run("--home", home, "models", "verify"), 1, "safetensors")


def test_a_bad_setting(run: Any, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_PORT", "eighty")
    three_lines(run("--home", home, "config", "show"), 2, "port", "eighty", "RECSYS_PORT")


def test_wrong_usage(run: Any) -> None:
    three_lines(run("recomend", "alice"), 2, "recomend", "--help")
    three_lines(run("recommend"), 2, "USER")
    three_lines(run("evaluate", "--train", "a.txt"), 2, "--test")


def test_a_mistyped_model_preset_or_metric_is_found_before_a_file_is_read(run: Any) -> None:
    missing = ("evaluate", "--interactions", "nowhere.csv")
    three_lines(run("--home", "h", *missing, "--models", "autoencodr"), 2, "autoencodr", "autoencoder")
    three_lines(run("--home", "h", *missing, "--models", "als,autoencoder:mult"), 2, "preset", "'mult'")
    three_lines(run("--home", "h", *missing, "--metrics", "ndgc@20"), 2, "ndgc@20")
    three_lines(run("--home", "h", *missing), 1, "nowhere.csv")


@pytest.mark.parametrize(("called", "again"), [("venv/bin/recsys", "venv/bin/recsys"), ("x/__main__.py", "python -m")])
def test_a_reader_is_told_a_call_that_works(called: str, again: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.argv", [called])
    assert program().startswith(again)
