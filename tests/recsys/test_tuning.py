"""Tuning on a model whose best settings are known: what is searched, what it costs, what outlives a kill."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import AlreadyRunning, DataError, SettingError, TrainingError
from recsys.models import MODELS, create, model_class
from recsys.models.space import Choice, Range
from recsys.recommender import FitOptions, Holdout
from recsys.tuning.budget import Budget
from recsys.tuning.search import TunedConfig, TuningStep
from recsys.tuning.tune import spare, tune

# Puts a share of a person's own kind of item first, all of them where its dials are at 30 and "right".
DIAL = """
import os, signal
from dataclasses import dataclass

import numpy as np

from recsys.errors import TrainingError
from recsys.models.space import Choice, Range
from recsys.recommender import Progress

FITS = []  # the settings of every fit, and the steps it came to
CLOCK = [0.0]


@dataclass(frozen=True)
class DialConfig:
    volume: float = 3.0
    side: str = "left"
    steps: int = 0
    broken_from: float = 1e9


class Dial:
    Config = DialConfig
    space = {"volume": Range(1.0, 1000.0, log=True), "side": Choice(("left", "right"))}

    def __init__(self, config):
        self.config = config

    @property
    def quality(self):
        near = np.exp(-np.log10(self.config.volume / 30) ** 2)
        return float(near * (1.0 if self.config.side == "right" else 0.7))

    def fit(self, matrix, options):
        FITS.append([self.config, 0])
        if len(FITS) == int(os.environ.get("DIAL_KILLED_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.config.volume >= self.config.broken_from:
            raise TrainingError("too loud")
        for step in range(1, self.config.steps + 1):
            CLOCK[0] += 1.0
            FITS[-1][1] = step
            value = self.quality * step / self.config.steps
            options.on_progress(Progress(step, self.config.steps, 1.0, "ndcg@100", value, None, 0.0, None))
        return self

    def score(self, rows):
        chance, found = np.random.default_rng(0).random((2, *rows.shape))
        own = np.arange(rows.shape[1]) % 2 == (np.arange(rows.shape[0]) % 2)[:, None]
        return (own & (found < self.quality)) + chance
"""


def people(n: int, seed: int) -> csr_matrix:
    """Even people like even items of 60, odd people odd ones; the seed says how strongly."""
    user, item = np.indices((n, 60))
    return csr_matrix(((user % 2 == item % 2) * (1 + np.random.default_rng(seed).random((n, 60)))).astype(np.float32))


@pytest.fixture(scope="module")
def train() -> csr_matrix:
    return people(40, 0)


@pytest.fixture(scope="module")
def holdout() -> Holdout:
    return Holdout.of(people(20, 1), 0.5, np.random.default_rng(2))


@pytest.fixture
def dial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The model as a module of its own, so that another process can have it too."""
    (tmp_path / "dial.py").write_text(DIAL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(MODELS, "dial", "dial:Dial")
    sys.modules.pop("dial", None)
    return importlib.import_module("dial")


Tuner = Callable[..., TunedConfig]


@pytest.fixture
def search(dial: ModuleType, train: csr_matrix, holdout: Holdout, tmp_path: Path) -> Tuner:
    def call(trials: int | None = None, seconds: float | None = None, **options: Any) -> TunedConfig:
        return tune("dial", train, holdout, Budget(seconds, trials), tmp_path / "tuning", **options)

    return call


def journal(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "tuning").iterdir()
    return found


def tried(dial: ModuleType) -> list[tuple[float, str]]:
    return [(config.volume, config.side) for config, _ in dial.FITS]


def test_the_known_best_settings_are_found(search: Tuner) -> None:
    found = search(15)
    assert found.chosen["side"] == "right"
    assert 12 < found.chosen["volume"] < 75
    assert found.value is not None
    assert found.start_value is not None
    assert found.value > found.start_value + 0.1
    assert (found.trials, found.pruned, found.failed, found.earlier) == (15, 0, 0, 0)


def test_the_search_starts_from_the_models_own_settings_and_never_ends_below_them(
    search: Tuner, dial: ModuleType
) -> None:
    only = search(1)
    assert tried(dial) == [(3.0, "left")]
    assert only.value == only.start_value
    best = search(4, start={"volume": 30.0, "side": "right"})
    assert tried(dial)[1] == (30.0, "right")
    assert best.value == best.start_value
    assert best.settings == {"volume": 30.0, "side": "right"}


def test_a_start_outside_the_space_is_tried_as_it_is(search: Tuner, dial: ModuleType) -> None:
    search(4, start={"volume": 0.12345678, "side": "middle"})
    assert tried(dial)[0] == (0.12345678, "middle")
    assert all(1.0 <= volume <= 1000.0 for volume, _ in tried(dial)[1:])


def test_what_is_fixed_stays_and_what_is_not_searched_is_kept(search: Tuner, dial: ModuleType) -> None:
    found = search(5, start={"broken_from": 1e8}, fixed={"side": "left"})
    assert {config.side for config, _ in dial.FITS} == {"left"}
    assert set(found.chosen) == {"volume"}
    assert found.settings == {"broken_from": 1e8, "side": "left", **found.chosen}
    everything = search(5, fixed={"side": "left", "volume": 2.0})
    assert everything.settings == {"side": "left", "volume": 2.0}
    assert (everything.trials, everything.value) == (0, None)


def test_the_settings_found_are_short_enough_to_copy_and_give_the_value_found(search: Tuner, dial: ModuleType) -> None:
    found = search(6)
    assert all(float(f"{volume:.4g}") == volume for volume, _ in tried(dial))
    assert search(1, start=found.settings).value == found.value


def test_the_same_search_again_costs_nothing_and_a_larger_budget_adds_to_it(search: Tuner, dial: ModuleType) -> None:
    first = search(4)
    again = search(4)
    assert len(dial.FITS) == 4
    assert (again.chosen, again.value, again.earlier) == (first.chosen, first.value, 4)
    assert search(6).trials == 6
    assert len(dial.FITS) == 6


@pytest.mark.parametrize("other", [{"seed": 1}, {"metric": "recall@5"}, {"start": {"volume": 5.0}}])
def test_another_question_is_another_search(search: Tuner, tmp_path: Path, other: dict[str, Any]) -> None:
    assert search(2).earlier == 0
    assert search(2, **other).earlier == 0
    assert len(list((tmp_path / "tuning").iterdir())) == 2


def test_other_data_is_another_search(
    dial: ModuleType, search: Tuner, train: csr_matrix, holdout: Holdout, tmp_path: Path
) -> None:
    search(2)
    swapped = Holdout(holdout.hidden, holdout.given)
    for rows, held in ((train[1:], holdout), (train, swapped)):
        assert tune("dial", rows, held, Budget(None, 2), tmp_path / "tuning").earlier == 0


def test_the_seed_decides_what_is_tried(search: Tuner, dial: ModuleType, tmp_path: Path) -> None:
    search(5)
    journal(tmp_path).unlink()
    search(5)
    search(5, seed=1)
    assert tried(dial)[:5] == tried(dial)[5:10]
    assert tried(dial)[10] == tried(dial)[0]
    assert tried(dial)[11:] != tried(dial)[1:5]


@pytest.mark.parametrize("killed_at", [1, 3, 5])
def test_a_killed_search_goes_on_and_ends_as_if_nothing_had_happened(
    search: Tuner, dial: ModuleType, train: csr_matrix, holdout: Holdout, tmp_path: Path, killed_at: int
) -> None:
    whole = search(6)
    uninterrupted = tried(dial)
    journal(tmp_path).unlink()
    dial.FITS.clear()
    np.savez(
        tmp_path / "data.npz",
        **{name: m.toarray() for name, m in zip("tgh", (train, holdout.given, holdout.hidden), strict=True)},
    )
    program = """
from pathlib import Path
import numpy as np
from scipy.sparse import csr_matrix
from recsys.models import MODELS
from recsys.recommender import FitOptions, Holdout
from recsys.tuning.budget import Budget
from recsys.tuning.tune import tune
MODELS["dial"] = "dial:Dial"
data = np.load("data.npz")
train, given, hidden = (csr_matrix(data[name]) for name in "tgh")
tune("dial", train, Holdout(given, hidden), Budget(None, 6), Path("tuning"))
"""
    environ = {**os.environ, "DIAL_KILLED_AT": str(killed_at), "PYTHONPATH": str(tmp_path)}
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = search(6)
    assert resumed.earlier == killed_at - 1
    assert tried(dial) == uninterrupted[killed_at - 1 :]
    assert (resumed.chosen, resumed.value, resumed.trials) == (whole.chosen, whole.value, 6)


@pytest.mark.parametrize("settled", [0, 1, 4])
def test_a_search_killed_while_it_asks_asks_again(
    search: Tuner, dial: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: int
) -> None:
    """Cut off after every line of the journal that a question writes."""
    search(5)
    asked, path = tried(dial), journal(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    told = [n for n, line in enumerate(lines) if json.loads(line).get("op_code") == 6 and b'"state":1' in line]
    after = told[settled - 1] + 1 if settled else 1
    for cut in range(after, told[settled]):
        path.write_bytes(b"".join(lines[:cut]))
        dial.FITS.clear()
        assert search(5).trials == 5
        assert tried(dial) == asked[settled:]


def test_a_hopeless_fit_is_given_up_and_never_chosen(search: Tuner, dial: ModuleType) -> None:
    steps: list[TuningStep] = []
    found = search(14, start={"steps": 10, "volume": 20.0, "side": "right"}, watch=steps.append)
    settled = [step.settled for step in steps if step.settled is not None]
    assert [trial.outcome for trial in settled].count("pruned") == found.pruned > 0
    for trial, (config, reached) in zip(settled, dial.FITS, strict=True):
        assert (reached < 10) == (trial.outcome == "pruned")
        assert config.volume == trial.settings["volume"]
    done = [trial for trial in settled if trial.outcome == "done"]
    assert found.value == max(trial.value for trial in done if trial.value is not None)
    assert found.chosen in [trial.settings for trial in done]


def test_a_fit_of_several_phases_is_heard(search: Tuner, dial: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    once = dial.Dial.fit

    def twice(model: Any, matrix: csr_matrix, options: FitOptions) -> Any:
        once(model, matrix, options)
        return once(model, matrix, options)

    monkeypatch.setattr(dial.Dial, "fit", twice)
    assert search(5, start={"steps": 4}).trials == 5


def test_the_first_trials_are_never_pruned(search: Tuner, dial: ModuleType) -> None:
    search(3, start={"steps": 10})
    assert [reached for _, reached in dial.FITS] == [10, 10, 10]


@pytest.fixture
def clock(dial: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second a step of the model, and no other time passes."""
    monkeypatch.setattr("recsys.tuning.search.time", SimpleNamespace(perf_counter=lambda: dial.CLOCK[0]))


@pytest.mark.usefixtures("clock")
def test_seconds_end_a_search_in_the_middle_of_a_trial_and_that_trial_is_run_again(
    search: Tuner, dial: ModuleType
) -> None:
    start = {"steps": 10, "side": "right"}
    found = search(seconds=25.0, start=start)
    assert [reached for _, reached in dial.FITS] == [10, 10, 5]
    assert (found.trials, found.seconds) == (2, 25.0)
    search(seconds=25.0, start=start)
    assert len(dial.FITS) == 3
    assert search(seconds=36.0, start=start).trials == 3
    assert tried(dial)[3] == tried(dial)[2]
    assert dial.FITS[3][1] == 10


@pytest.mark.usefixtures("clock")
def test_the_first_trial_ends_even_where_it_takes_more_than_there_is(search: Tuner, dial: ModuleType) -> None:
    found = search(seconds=3.0, start={"steps": 10})
    assert [[dial.DialConfig(steps=10), 10]] == dial.FITS
    assert found.value == found.start_value


@pytest.mark.usefixtures("clock")
def test_whoever_watches_is_told_the_truth(search: Tuner, dial: ModuleType) -> None:
    steps: list[TuningStep] = []
    search(3, 100.0, start={"steps": 4}, watch=steps.append)
    assert [step.trial for step in steps] == [1] * 5 + [2] * 5 + [3] * 5
    assert [step.seconds for step in steps] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 12]
    assert [step.settled is not None for step in steps] == ([False] * 4 + [True]) * 3
    assert steps[0].best is None
    assert steps[3].share == pytest.approx(0.04)
    assert steps[4].share == pytest.approx(1 / 3)
    assert steps[-1].share == 1
    ends = [step.value for step in steps if step.settled is not None]
    assert [step.best for step in steps if step.settled is not None] == [max(ends[: k + 1]) for k in range(3)]


def test_settings_that_cannot_be_trained_are_passed_over_but_not_the_first(search: Tuner, dial: ModuleType) -> None:
    found = search(8, start={"volume": 4.0, "broken_from": 5.0})
    assert found.failed == sum(volume >= 5.0 for volume, _ in tried(dial)) > 0
    assert found.chosen["volume"] < 5.0
    with pytest.raises(TrainingError, match="too loud"):
        search(8, start={"volume": 4.0, "broken_from": 2.0})


def test_nothing_is_written_but_the_journal(search: Tuner, capfd: pytest.CaptureFixture[str]) -> None:
    search(4)
    assert capfd.readouterr() == ("", "")


# Journals that cannot be gone on with.


def test_a_half_written_last_line_is_cut_off(search: Tuner, dial: ModuleType, tmp_path: Path) -> None:
    search(3)
    with journal(tmp_path).open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    assert (search(4).earlier, search(4).earlier) == (3, 4)
    assert len(dial.FITS) == 4


@pytest.mark.parametrize("line", [b"not json\n", b"[1]\n", b'{"op_code": 4}\n', b'{"op_code": "x"}\n', b"\xff\xfe\n"])
def test_a_damaged_journal_is_named_with_the_place(search: Tuner, tmp_path: Path, line: bytes) -> None:
    search(2)
    path = journal(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(DataError, match="journal is damaged") as caught:
        search(2)
    assert str(path) in caught.value.where
    assert "remove" in caught.value.do


def test_a_journal_of_another_search_is_refused(search: Tuner, tmp_path: Path) -> None:
    search(2)
    other = journal(tmp_path).read_bytes()
    journal(tmp_path).unlink()
    search(2, seed=1)
    journal(tmp_path).write_bytes(other)
    with pytest.raises(DataError, match="another search: seed"):
        search(2, seed=1)


def test_two_processes_do_not_tune_the_same_at_once(search: Tuner) -> None:
    def also(step: TuningStep) -> None:
        with pytest.raises(AlreadyRunning, match="another process"):
            search(3)

    assert search(2, watch=also).trials == 2


def test_a_folder_that_cannot_be_written_is_named(
    dial: ModuleType, train: csr_matrix, holdout: Holdout, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be opened") as caught:
        tune("dial", train, holdout, Budget(), tmp_path / "file")
    assert "file" in caught.value.where


# What cannot be asked.


def test_wrong_questions_are_refused_before_anything_is_fitted(
    search: Tuner, dial: ModuleType, train: csr_matrix, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="'luck@3'"):
        search(2, metric="luck@3")
    with pytest.raises(SettingError, match="'colour'"):
        search(2, start={"colour": 1})
    with pytest.raises(SettingError, match="'oracle'"):
        tune("oracle", train, Holdout(train, train), Budget(), tmp_path)
    with pytest.raises(DataError, match="nothing hidden"):
        tune("dial", train, Holdout(train, csr_matrix(train.shape, dtype=np.float32)), Budget(), tmp_path)
    assert dial.FITS == []


@pytest.mark.parametrize(("seconds", "trials"), [(None, None), (0.0, None), (-1.0, 3), (10.0, 0), (float("nan"), None)])
def test_a_budget_grants_something(seconds: float | None, trials: int | None) -> None:
    with pytest.raises(SettingError):
        Budget(seconds, trials)


# What each model says is worth searching.


@pytest.mark.parametrize("name", [name for name in MODELS if name != "popularity"])
def test_every_corner_of_a_models_space_is_a_model(name: str) -> None:
    cls = model_class(name)
    assert set(cls.space) <= {field.name for field in fields(cls.Config)}
    assert cls.space
    for key, one in cls.space.items():
        ends = one.options if isinstance(one, Choice) else (one.low, one.high)
        for value in ends:
            create(name, **{key: value})
        json.dumps(ends)
        if isinstance(one, Range):
            assert one.low < one.high
            assert one.low > 0 or not one.log
            default = getattr(cls.Config(), key)
            assert one.low <= default <= one.high, "the search would start outside"
    for end in ("low", "high"):
        create(name, **{key: getattr(one, end) for key, one in cls.space.items() if isinstance(one, Range)})


def test_popularity_has_nothing_to_tune(train: csr_matrix, holdout: Holdout, tmp_path: Path) -> None:
    found = tune("popularity", train, holdout, Budget(), tmp_path / "tuning")
    assert (found.settings, found.trials, found.value) == ({}, 0, None)
    assert not (tmp_path / "tuning").exists()


def test_als_is_tuned_on_rows_it_has_not_seen(train: csr_matrix, holdout: Holdout, tmp_path: Path) -> None:
    found = tune("als", train, holdout, Budget(None, 4), tmp_path, start={"factors": 32, "iterations": 3})
    assert found.value is not None
    assert found.value > 0.9  # all of one's own kind that is left is hidden
    assert found.settings == {"iterations": 3, **found.chosen}


# Whom it is tuned on.


def test_a_share_of_the_users_is_spared_and_nothing_is_lost() -> None:
    rows = people(200, 3)
    left, held = spare(rows, seed=0)
    assert (left.shape, held.given.shape) == ((180, 60), (20, 60))
    assert left.nnz + held.given.nnz + held.hidden.nnz == rows.nnz
    again, _ = spare(rows, seed=0)
    other, _ = spare(rows, seed=1)
    assert (again != left).nnz == 0
    assert (other != left).nnz > 0


def test_too_few_users_to_spare_any_is_said() -> None:
    with pytest.raises(DataError, match="44 users"):
        spare(people(44, 3), seed=0)


def test_only_a_search_imports_optuna() -> None:
    program = (
        "import sys, recsys.evaluation.run, recsys.tuning.tune, api.cli.evaluate, api.cli.train, api.app\n"
        "from recsys.models import MODELS, model_class\nfor name in MODELS: model_class(name)\n"
        "print('optuna' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
