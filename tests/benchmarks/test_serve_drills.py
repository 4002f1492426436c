"""The drills of the web API, small: they run against a real server, and what they promise holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from benchmarks.serve import abuse, counted, crashes, effects, identical, next_answer, outage, soak, swaps
from benchmarks.serve.home import Home, Shape, make_home
from benchmarks.serve.server import Server, serving
from recsys.errors import RecsysError

SHAPE = Shape(users=200, items=1_000, width=32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all of these tests: each leaves it able to answer, and counts only what is its own."""
    home = make_home(tmp_path_factory.mktemp("drills") / "home", SHAPE)
    with serving(home, module=counted.MODULE) as running:
        yield running


def test_lists_are_the_same_alone_among_others_and_without_a_server(server: Server) -> None:
    before = server.home.live()
    found = identical.drill(server, users=200, n=50, connections=32)
    pairs = [f"{model}: alone and {other}" for model in ("network", "both paths") for other in ("together", "offline")]
    assert found["differ"] == dict.fromkeys(pairs, 0)
    assert found["together"] >= 50
    assert not found["broken"]
    assert server.home.live() == before


def test_lists_of_people_who_were_never_scored_together_show_nothing(server: Server) -> None:
    with pytest.raises(RecsysError, match="only 0 of 20 users were scored together"):
        identical.drill(server, users=20, n=10, connections=1)


def test_a_swap_fails_no_request_and_mixes_no_answer(server: Server) -> None:
    found = swaps.drill(server, swaps=2, rate=50.0, sample=20)
    assert (found["swaps"], found["failed"], found["mixed"]) == (2, 0, 0)
    assert found["remade"] == 20


def test_feedback_to_one_worker_is_in_the_next_answer_of_another(server: Server) -> None:
    assert next_answer.drill(server, trials=10) == {
        "trials": 10,
        "misses": 0,
        "unseen": 0,
        "caught": 10,
        "broken": [],
    }


def test_the_same_keys_from_many_clients_have_one_effect_each(server: Server) -> None:
    found = effects.drill(server, clients=8, keys=5)
    assert (found["effects"], found["unlike"], found["answers"]["200"]) == (5, 0, 40)


def test_what_asks_for_too_much_is_refused(server: Server) -> None:
    cases = abuse.drill(server, repeats=1, chunked=6 * 2**20)["cases"]
    assert {status // 100 for case in cases.values() for status in case["statuses"]} == {4}
    assert cases["a chunked body without end to /v1/feedback"]["statuses"] == [413]


def test_a_mixture_of_requests_with_a_swap_in_it_has_no_fault(server: Server) -> None:
    found = soak.drill(server, requests=300, swaps=1, connections=8)
    assert found["swaps"] == 1
    assert sum(found["statuses"].values()) == 300
    assert "500" not in found["statuses"]  # 503 is honest on a machine that has other things to do


def test_a_killed_worker_loses_nothing_that_was_acknowledged(server: Server) -> None:
    found = crashes.drill(server, events=1_000, kills=1, batch=10, clients=4)
    assert (found["killed"], found["lost"], found["doubled"]) == (1, 0, 0)
    assert not found["broken"]


@pytest.fixture
def on_postgresql(fresh_postgresql: Callable[[], AbstractContextManager[str]], tmp_path: Path) -> Iterator[Home]:
    with fresh_postgresql() as url:
        yield make_home(tmp_path / "home", SHAPE, url)


def test_lists_keep_coming_while_the_database_is_frozen_or_gone(on_postgresql: Home) -> None:
    found = outage.drill(on_postgresql, seconds=1.0)
    assert not found["broken"]
    assert {status for status, _ in found["slow"]["feedback"]} <= {200, 503}
    for mode in ("frozen", "refused"):
        assert found[mode]["stale"] == found[mode]["answers"] > 0
        assert {status for status, _ in found[mode]["feedback"]} == {503}
        assert found[mode]["ready"] == ["degraded"]
        assert found[mode]["mended"] is not None
