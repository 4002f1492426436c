"""Checkpoints: an interrupted training goes on to the same end, bit by bit, or says why it does not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError
from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.recommender import Checkpoint, FitOptions, Holdout, Progress
from recsys.training import checkpoint
from recsys.training.checkpoint import Snapshot, fingerprint, read, write
from recsys.training.loop import train_autoencoder

CONFIG = AutoencoderConfig(
    layers=[16, 8], bottleneck=8, epochs=6, learning_rate=0.02, batch_size=64, dropout=0.3, weight_decay=0.01
)


class Interrupted(Exception):
    """What a test stops a training with."""


def four_tastes() -> csr_matrix:
    """400 people of four tastes among 40 items: each likes about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((400, 40))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((400, 40)) < 0.5)).astype(np.float32))


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    return four_tastes()


@pytest.fixture
def place(tmp_path) -> Checkpoint:
    return Checkpoint(tmp_path / "kept" / "training", seconds=0)


def trained(matrix, place=None, config=CONFIG, stop_after=None, **options):
    told: list[Progress] = []

    def watch(progress):
        told.append(progress)
        if progress.step == stop_after:
            raise Interrupted

    try:
        state = train_autoencoder(
            matrix, config, FitOptions(device="cpu", on_progress=watch, checkpoint=place, **options)
        )
    except Interrupted:
        state = None
    return state, told


def facts(told):
    return [(p.step, p.steps, p.loss, p.metric, p.value, p.best) for p in told]


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_training_interrupted_after_an_epoch_goes_on_to_the_same_bits(tastes, place, after):
    whole, told = trained(tastes)
    _, before = trained(tastes, place, stop_after=after)
    resumed, told_after = trained(tastes, place)
    assert same(resumed, whole)
    assert facts(before + told_after) == facts(told)
    assert [p.step for p in told_after] == list(range(after + 1, 7))


def test_it_may_be_interrupted_again_and_again(tastes, place):
    whole, told = trained(tastes)
    pieces = [trained(tastes, place, stop_after=epoch)[1] for epoch in (1, 2, 4)]
    resumed, last = trained(tastes, place)
    assert same(resumed, whole)
    assert facts([p for piece in [*pieces, last] for p in piece]) == facts(told)


def test_without_validation_it_goes_on_to_the_same_bits_too(tastes, place):
    whole, _ = trained(tastes[:50])
    trained(tastes[:50], place, stop_after=4)
    assert same(trained(tastes[:50], place)[0], whole)


def test_patience_and_the_best_epoch_survive_the_interruption(tastes, place):
    strangers = csr_matrix(np.roll(tastes.toarray(), 1, axis=1))
    holdout = Holdout(given=tastes[:100], hidden=strangers[:100])  # no better by training
    config = replace(CONFIG, epochs=60, patience=4)
    whole, told = trained(tastes, config=config, validation=holdout)
    best_at = int(np.argmax([p.value for p in told])) + 1
    assert len(told) == best_at + 4 < 60
    trained(tastes, place, config, stop_after=best_at + 2, validation=holdout)
    resumed, rest = trained(tastes, place, config, validation=holdout)
    assert same(resumed, whole)
    assert facts(rest) == facts(told[best_at + 2 :])


def test_a_process_killed_outright_goes_on_to_the_same_bits(tastes, place):
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_training_checkpoint as here
def kill(progress):
    if progress.step == 3: os.kill(os.getpid(), signal.SIGKILL)
place = here.Checkpoint(here.Path({str(place.path)!r}), seconds=0)
options = here.FitOptions(device="cpu", on_progress=kill, checkpoint=place)
here.train_autoencoder(here.four_tastes(), here.CONFIG, options)
"""
    root = str(Path(checkpoint.__file__).parents[2])
    killed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, "PYTHONPATH": root}, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    resumed, told = trained(tastes, place)
    assert [p.step for p in told] == [4, 5, 6]
    assert same(resumed, trained(tastes)[0])


def test_the_time_spent_before_the_interruption_counts(tastes, place):
    _, before = trained(tastes, place, stop_after=3)
    _, after = trained(tastes, place)
    assert after[0].seconds > before[-1].seconds


def test_the_file_is_gone_when_the_training_is_done(tastes, place):
    trained(tastes, place, stop_after=2)
    assert place.path.exists()
    trained(tastes, place)
    assert list(place.path.parent.iterdir()) == []


def test_a_file_that_is_kept_answers_a_second_fit_at_once(tastes, place):
    place = replace(place, keep=True)
    first, whole = trained(tastes, place)
    second, told = trained(tastes, place)
    assert facts(told) == facts(whole[-1:])
    assert told[-1].seconds_left == 0
    assert same(second, first)


def test_stages_of_one_fit_are_gone_on_from_one_by_one_and_cleared_at_its_end(tastes, place):
    configs = {"wide": CONFIG, "narrow": replace(CONFIG, layers=[4])}

    def fit(stop_in=None):
        found = []
        for name, config in configs.items():
            found.append(trained(tastes, place.stage(name), config, stop_after=3 if name == stop_in else None))
            if name == stop_in:
                break
        else:
            place.clear()
        return found

    fit(stop_in="narrow")
    assert len(list(place.path.parent.iterdir())) == 2
    (wide, once), (narrow, rest) = fit()
    assert [p.step for p in once] == [6]
    assert [p.step for p in rest] == [4, 5, 6]
    assert same(wide, trained(tastes)[0])
    assert same(narrow, trained(tastes, config=configs["narrow"])[0])
    assert list(place.path.parent.iterdir()) == []


@pytest.mark.parametrize("stop_at", [2, 6, 9])
def test_a_whole_fit_interrupted_in_any_of_its_trainings_ends_as_if_it_had_not_been(tastes, place, stop_at):
    config = replace(CONFIG, epochs=3, weight_decay=None)  # one training a weight decay, and the last on everybody

    def fit(place=None, stop=None):
        epochs = []

        def watch(progress):
            epochs.append(progress)
            if progress.loss is not None and sum(p.loss is not None for p in epochs) == stop:
                raise Interrupted

        model = Autoencoder(config)
        model.fit(tastes, FitOptions(device="cpu", on_progress=watch, checkpoint=place))
        return model.state()

    with pytest.raises(Interrupted):
        fit(place, stop_at)
    assert list(place.path.parent.iterdir())
    assert same(fit(place), fit())
    assert list(place.path.parent.iterdir()) == []


def test_stages_that_are_to_be_kept_are_not_cleared(tmp_path):
    place = Checkpoint(tmp_path / "a[b]", keep=True)
    place.stage("x").path.touch()
    (tmp_path / "ab.x").touch()
    place.clear()
    assert len(list(tmp_path.iterdir())) == 2
    replace(place, keep=False).clear()
    assert [file.name for file in tmp_path.iterdir()] == ["ab.x"]


def test_nothing_is_written_before_the_time_is_up(tastes, place):
    trained(tastes, replace(place, seconds=3600.0), stop_after=5)
    assert not place.path.exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": replace(CONFIG, layers=[16, 4])}, r"layers was \[16, 8\], now \[16, 4\]"),
        ({"config": replace(CONFIG, epochs=7)}, "epochs was 6, now 7"),
        ({"seed": 5}, "seed was 0, now 5"),
        ({"metric": "recall@20"}, 'metric was "ndcg@100", now "recall@20"'),
    ],
)
def test_another_configuration_is_refused_and_what_differs_is_named(tastes, place, change, named):
    trained(tastes, place, stop_after=2)
    before = place.path.read_bytes()
    with pytest.raises(TrainingError, match=named) as caught:
        trained(tastes, place, **change)
    assert caught.value.where == str(place.path)
    assert "remove the file" in caught.value.do
    assert place.path.read_bytes() == before


def test_other_data_is_refused(tastes, place):
    trained(tastes, place, stop_after=2)
    other = tastes.copy()
    other.data[7] = 2.0
    with pytest.raises(TrainingError, match="its data was another"):
        trained(other, place)


def test_another_validation_part_is_other_data(tastes, place):
    rng = np.random.default_rng(0)
    trained(tastes, place, stop_after=2, validation=Holdout.of(tastes[:50], 0.5, rng))
    with pytest.raises(TrainingError, match="its data was another"):
        trained(tastes, place, validation=Holdout.of(tastes[:50], 0.5, rng))


def test_other_attributes_are_other_data(tastes, place):
    config = replace(CONFIG, conditional=True)
    ages = np.arange(400.0)[:, None] / 400
    whole, _ = trained(tastes, None, config, attributes=ages)
    trained(tastes, place, config, stop_after=2, attributes=ages)
    with pytest.raises(TrainingError, match="its data was another"):
        trained(tastes, place, config, attributes=-ages)
    assert same(trained(tastes, place, config, attributes=ages)[0], whole)


def test_a_fingerprint_tells_every_part_of_a_matrix_apart_but_not_its_types(tastes):
    wide = csr_matrix((tastes.data, tastes.indices, tastes.indptr), shape=(400, 41))
    moved = csr_matrix((tastes.data, np.roll(tastes.indices, 1), tastes.indptr), shape=tastes.shape)
    few = np.array([[1.0, np.nan]])
    found = {fingerprint([matrix]) for matrix in (tastes, wide, moved, tastes[::-1], tastes * 2)}
    found |= {fingerprint(parts) for parts in ([tastes, None], [tastes, tastes], [tastes, few], [tastes, few.T])}
    assert len(found) == 9
    long = csr_matrix(tastes.astype(np.float64))
    long.indptr, long.indices = long.indptr.astype(np.int64), long.indices.astype(np.int64)
    assert fingerprint([long]) == fingerprint([tastes])


SNAPSHOT = Snapshot(
    {"a/x": np.arange(6, dtype=np.float32).reshape(2, 3), "a/step": np.array(3.0), "b/y": np.array([1, 2], np.uint8)},
    {"epoch": 3, "best": -np.inf},
)


def test_a_snapshot_comes_back_as_it_was(tmp_path):
    write(tmp_path / "c", SNAPSHOT, {"seed": 1})
    found = read(tmp_path / "c", {"seed": 1})
    assert found.facts == SNAPSHOT.facts
    assert same(found.arrays, SNAPSHOT.arrays)
    assert [found.arrays[name].dtype for name in found.arrays] == [np.float32, np.float64, np.uint8]
    assert list(found.part("a")) == ["x", "step"]
    assert read(tmp_path / "none", {}) is None


def test_a_changed_byte_or_a_missing_end_is_found(tmp_path):
    path = tmp_path / "c"
    write(path, SNAPSHOT, {})
    whole = path.read_bytes()
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(TrainingError, match="damaged"):
            read(path, {})
        path.write_bytes(whole[:at])
        with pytest.raises(TrainingError, match="damaged"):
            read(path, {})


def test_a_damaged_file_stops_a_training_and_is_named(tastes, place):
    trained(tastes, place, stop_after=2)
    place.path.write_bytes(place.path.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="the checkpoint is damaged") as caught:
        trained(tastes, place)
    assert caught.value.where == str(place.path)


def test_a_format_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 99)
    write(tmp_path / "c", SNAPSHOT, {})
    monkeypatch.undo()
    with pytest.raises(TrainingError, match="format 99"):
        read(tmp_path / "c", {})


@pytest.mark.parametrize("moment", ["write_array", "fsync", "replace"])
def test_killed_while_writing_the_last_snapshot_is_still_whole(tmp_path, monkeypatch, moment):
    path = tmp_path / "c"
    write(path, SNAPSHOT, {})
    later = Snapshot(SNAPSHOT.arrays, {"epoch": 4})

    def stop(*_, **__):
        raise Interrupted

    owner = {"write_array": np.lib.format, "fsync": os, "replace": Path}[moment]
    monkeypatch.setattr(owner, moment, stop)
    with pytest.raises(Interrupted):
        write(path, later, {})
    monkeypatch.undo()
    assert read(path, {}).facts["epoch"] == 3
    write(path, later, {})  # what the killed writing left behind is in nobody's way
    assert read(path, {}).facts["epoch"] == 4
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written") as caught:
        write(tmp_path / "file" / "c", SNAPSHOT, {})
    assert re.search(r"file/c: ", caught.value.where)


def test_a_place_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(TrainingError, match="cannot be read") as caught:
        read(tmp_path, {})  # a folder
    assert str(tmp_path) in caught.value.where
