"""The lock of the night: one holder, freed by its death, taken from one that is silent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recsys.errors import AlreadyRunning, Fenced
from recsys.night.lock import NightLock
from tests.threads import together

HOLD = """
import sys, time
from pathlib import Path
from recsys.night.lock import NightLock
with NightLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        try:
            yield child
        finally:
            child.kill()


def test_a_second_holder_is_refused_with_status_75_and_told_who_holds_it(tmp_path: Path):
    with NightLock(tmp_path).held(), pytest.raises(AlreadyRunning) as caught, NightLock(tmp_path).held():
        pass
    assert caught.value.exit_status == 75
    assert str(os.getpid()) in caught.value.where


def test_of_many_at_once_one_holds_it(tmp_path: Path):
    held: list[int] = []
    all_tried = threading.Barrier(20)

    def take(number: int) -> None:
        try:
            with NightLock(tmp_path).held():
                held.append(number)
                all_tried.wait()
        except AlreadyRunning:
            all_tried.wait()

    together(take, 20)
    assert len(held) == 1


def test_it_is_free_after_its_holder_was_killed(tmp_path: Path):
    with holder(tmp_path) as child:
        with pytest.raises(AlreadyRunning), NightLock(tmp_path).held():
            pass
        child.kill()
        child.wait()
    assert NightLock(tmp_path).holder() is None
    with NightLock(tmp_path).held():
        pass


def test_nothing_of_it_is_left_when_it_was_let_go(tmp_path: Path):
    with NightLock(tmp_path).held():
        assert NightLock(tmp_path).holder() is not None
    assert NightLock(tmp_path).holder() is None
    assert not (tmp_path / "holder.json").exists()


def make_silent(folder: Path, seconds: float) -> None:
    told = json.loads((folder / "holder.json").read_bytes())
    told["beat"] = time.time() - seconds
    (folder / "holder.json").write_text(json.dumps(told))


def test_a_stopped_holder_loses_it_and_learns_so_at_its_next_beat(tmp_path: Path):
    with holder(tmp_path) as child:
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(AlreadyRunning), NightLock(tmp_path, stuck=100).held(take_over=True):
            pass
        make_silent(tmp_path, 101)
        other = NightLock(tmp_path, stuck=100)
        with other.held(take_over=True):
            assert other.taken_from is not None
            assert other.taken_from.pid == child.pid
            with pytest.raises(AlreadyRunning), NightLock(tmp_path, stuck=100).held(take_over=True):
                pass


def test_who_lost_it_is_fenced_and_does_not_free_it_for_a_third(tmp_path: Path):
    first, second = NightLock(tmp_path, stuck=100), NightLock(tmp_path, stuck=100)
    with first.held():
        make_silent(tmp_path, 101)
        inner = second.held(take_over=True)
        inner.__enter__()
        with pytest.raises(Fenced):
            first.beat(step="publish")
    with pytest.raises(AlreadyRunning):
        NightLock(tmp_path, stuck=100).held().__enter__()
    inner.__exit__(None, None, None)
    assert NightLock(tmp_path).holder() is None


def test_within_its_own_block_it_is_held_already(tmp_path: Path):
    lock = NightLock(tmp_path)
    with lock.held():
        with lock.held():
            pass
        with pytest.raises(AlreadyRunning):
            NightLock(tmp_path).held().__enter__()
    assert NightLock(tmp_path).holder() is None


def test_a_beat_says_what_is_being_done(tmp_path: Path):
    lock = NightLock(tmp_path)
    with lock.held():
        lock.beat(step="train als", token=7)
        found = NightLock(tmp_path).holder()
    assert found is not None
    assert (found.step, found.token, found.pid) == ("train als", 7, os.getpid())


@pytest.mark.parametrize("file", [0, 12345])
def test_what_a_killed_one_left_says_nothing_of_the_next(tmp_path: Path, file: int):
    old = {"pid": 1, "host": "h", "token": 1, "since": 0.0, "beat": 0.0, "step": "train als", "file": file}
    (tmp_path / "holder.json").write_text(json.dumps(old))
    held: list[int] = []
    all_tried = threading.Barrier(20)

    def take(number: int) -> None:
        lock = NightLock(tmp_path, stuck=100)
        try:
            with lock.held(take_over=True):
                held.append(number)
                all_tried.wait()
                lock.beat()  # nobody took it away
                assert lock.taken_from is None
        except AlreadyRunning:
            all_tried.wait()

    together(take, 20)
    assert len(held) == 1


@pytest.mark.parametrize(
    "told", ["", "[]", '{"pid": 1}', '{"pid": 1, "host": "h", "token": 1, "since": 0, "beat": "x"}']
)
def test_a_holder_that_cannot_be_read_holds_it_all_the_same(tmp_path: Path, told: str):
    with NightLock(tmp_path).held():
        (tmp_path / "holder.json").write_text(told)
        assert NightLock(tmp_path).holder() is not None
        with pytest.raises(AlreadyRunning):
            NightLock(tmp_path, stuck=0.0).held(take_over=True).__enter__()


def test_of_many_that_find_a_stuck_one_one_takes_over(tmp_path: Path):
    with holder(tmp_path) as child:
        child.send_signal(signal.SIGSTOP)
        make_silent(tmp_path, 101)
        held: list[int] = []
        all_tried = threading.Barrier(10)

        def take(number: int) -> None:
            lock = NightLock(tmp_path, stuck=100)
            try:
                with lock.held(take_over=True):
                    held.append(number)
                    all_tried.wait()
                    lock.beat()
            except AlreadyRunning:
                all_tried.wait()

        together(take, 10)
        assert len(held) == 1
