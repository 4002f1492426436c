"""Idempotency-Keys: one effect, one answer, never two calls at a time, and nothing left by a killed one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from data.records import Added
from data.store import Store
from data.transactions import writing
from recsys.errors import KeyInFlight, KeyReused, StoreError
from recsys.interactions import Interactions

ROOT = Path(__file__).resolve().parents[2]


def some(count: int = 4) -> Interactions:
    return Interactions.from_lists([f"u{n % 3}" for n in range(count)], [f"i{n}" for n in range(count)])


def test_an_idempotency_key_has_one_effect_and_one_answer(store: Store) -> None:
    def answer(added: Added) -> dict[str, Any]:
        return {"added": added.added, "unruled": ["böb"], "nested": {"none": None, "share": 0.5}}

    first = store.add_once("key", "digest", some(), answer)
    assert first == ({"added": 4, "unruled": ["böb"], "nested": {"none": None, "share": 0.5}}, False)
    assert store.add_once("key", "digest", some(), answer) == (first[0], True)
    with pytest.raises(KeyReused, match="key"):
        store.add_once("key", "another digest", some(2), answer)
    assert store.add_once("key 2", "digest", some(), asdict)[0]["repeated"] == 4


def test_what_has_ended_is_answered_again_while_others_write(store: Store, url: str) -> None:
    first, _ = store.add_once("key", "digest", some(), asdict)
    with writing(store.engine, alone=True):
        assert store.add_once("key", "digest", some(), asdict) == (first, True)
        with pytest.raises(KeyReused, match="key"):
            store.add_once("key", "another digest", some(), asdict)


def test_a_refused_request_leaves_its_idempotency_key_free(store: Store) -> None:
    def failing(added: Added) -> dict[str, Any]:
        raise RuntimeError(f"the fault fired after {added.added}")

    with pytest.raises(RuntimeError, match="the fault fired after 4"):
        store.add_once("key", "digest", some(), failing)
    assert store.stats().interactions == 0
    assert store.add_once("key", "digest", some(), asdict)[1] is False


def test_a_second_call_while_the_first_is_at_work_is_told_so_at_once(store: Store, url: str) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slow(added: Added) -> dict[str, Any]:
        at_work.set()
        assert go_on.wait(20)
        return {"by": "the first"}

    with ThreadPoolExecutor(1) as pool, Store.open(url) as second:
        first = pool.submit(store.add_once, "key", "digest", some(), slow)
        assert at_work.wait(20)
        try:
            for other in (store, second):
                start = time.perf_counter()
                with pytest.raises(KeyInFlight, match="key"):
                    other.add_once("key", "digest", some(), asdict)
                assert time.perf_counter() - start < 4  # not after the 5 s that a writer waits
        finally:
            go_on.set()
        assert first.result() == ({"by": "the first"}, False)
        assert second.add_once("key", "digest", some(), asdict) == ({"by": "the first"}, True)


def test_two_calls_that_end_together_free_only_their_own_keys(sqlite_url: str) -> None:
    """The side file closes with the last of them: a byte that is still held must stay held."""
    at_work, go_on = threading.Event(), threading.Event()

    def slow(added: Added) -> dict[str, Any]:
        at_work.set()
        assert go_on.wait(20)
        return {}

    with ThreadPoolExecutor(1) as pool, Store.open(sqlite_url, wait=0.1) as store:
        first = pool.submit(store.add_once, "slow", "digest", some(), slow)
        assert at_work.wait(20)
        try:
            with pytest.raises(StoreError, match="locked"):  # another key is free, only the database is busy
                store.add_once("quick", "digest", some(), asdict)
            with pytest.raises(KeyInFlight):
                store.add_once("slow", "digest", some(), asdict)
            assert "in flight" in other_process(sqlite_url, "slow").communicate(timeout=60)[0]
        finally:
            go_on.set()
        first.result()


SCRIPT = """
    import sys
    from dataclasses import asdict
    from data.store import Store
    from recsys.errors import KeyInFlight
    from recsys.interactions import Interactions

    def slow(added):
        print("at work", flush=True)
        sys.stdin.read()
        return asdict(added)

    with Store.open(sys.argv[1]) as store:
        try:
            print(store.add_once(sys.argv[2], "digest", Interactions.from_lists(["u"], ["i"]), slow))
        except KeyInFlight:
            print("in flight")
"""


def other_process(url: str, key: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), url, key]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_key_held_by_another_process_is_free_once_that_is_killed(store: Store, url: str) -> None:
    with other_process(url, "key") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "at work\n"
        with pytest.raises(KeyInFlight):
            store.add_once("key", "digest", some(), asdict)
        other.kill()
        other.wait()
    given, repeated = again(store, "key")
    assert (given["added"], repeated) == (4, False)
    assert store.stats().interactions == 4


def again(store: Store, key: str) -> tuple[dict[str, Any], bool]:
    """The answer as a client gets it that sends again what is in flight."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(KeyInFlight):
            return store.add_once(key, "digest", some(), asdict)
        time.sleep(0.01)
    raise AssertionError("the key never became free")


def test_many_clients_with_the_same_keys_have_one_effect_each(url: str) -> None:
    def post(worker: int) -> list[tuple[dict[str, Any], bool]]:
        return [again(store, f"key {number}") for number in range(8)]

    with Store.open(url, wait=60) as store, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(post, range(6)))
    for number in range(8):
        of_key = [answer[number] for answer in answers]
        assert sorted(repeated for _, repeated in of_key) == [False] + [True] * 5
        assert all(given == of_key[0][0] for given, _ in of_key)
    assert sum(answer[0]["added"] for answer, *_ in zip(*answers, strict=True)) == 4


def test_a_side_file_that_cannot_be_made_is_a_store_error(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "store.db-keys").mkdir()
    with Store.open(sqlite_url) as store, pytest.raises(StoreError, match="nothing was stored"):
        store.add_once("key", "digest", some(), asdict)
