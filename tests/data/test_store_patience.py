"""A PostgreSQL server that freezes or stops: given up in time, left alone for a while, used again when it is back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from data.patience import Patience
from data.records import Added
from data.store import Store
from recsys.errors import StoreError
from recsys.interactions import Interactions

ONE = Interactions.from_lists(["u"], ["i"])
PATIENCE = 0.7


class Proxy:
    """Stands between client and server. Frozen, it takes connections and bytes and passes none on; stopped, it is gone.

    held: how often it had something to pass on while it was frozen. delay: seconds before it passes on what the server
    says; late: how often it did.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.held = self.late = 0
        self.delay = 0.0
        self._server = server
        self._running = threading.Event()
        self._sockets: list[socket.socket] = []
        self.port = 0
        self.start()

    def start(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        self._running.set()
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def freeze(self) -> None:
        self._running.clear()

    def thaw(self) -> None:
        self._running.set()

    def stop(self) -> None:
        for one in (self._listening, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()
        self._running.set()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                for ends in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.delay:
                    self.late += 1
                    time.sleep(self.delay)
                self.held += not self._running.is_set()
                self._running.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[Proxy]:
    address = make_url(postgresql_url)
    made = Proxy((address.host or "", address.port or 5432))
    yield made
    made.stop()


@pytest.fixture
def address(proxy: Proxy, url: str) -> str:
    return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)


pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def once_back(use: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while True:
        try:
            return use()
        except StoreError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def test_a_frozen_server_is_given_up_then_left_alone_then_used_again(
    address: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.patience.PAUSE_SECONDS", 8.0)  # also on a busy machine the four below fall into it
    with Store.open(address, patience=PATIENCE) as store:
        store.add(ONE)
        proxy.freeze()
        with pytest.raises(StoreError, match="answer"):
            store.add(Interactions.from_lists(["u"], ["other"]))
        assert proxy.held > 0  # the fault fired
        held = proxy.held
        for use in (store.ping, store.marks, lambda: store.history("u"), lambda: store.add(ONE)):
            with pytest.raises(StoreError, match="did not answer a moment ago"):
                use()
        assert proxy.held == held  # nothing was even asked
        proxy.thaw()
        once_back(store.ping)
        assert store.history("u").item.decode().tolist() == ["i"]
        assert store.marks("u").user > 0
        assert store.add(ONE).repeated == 1


def test_quick_questions_are_given_up_sooner(address: str, proxy: Proxy) -> None:
    with Store.open(address, patience=600) as store:
        store.marks()
        proxy.freeze()
        with pytest.raises(StoreError, match=r"no answer within 0\.5 s"):
            store.marks()
        assert proxy.held > 0
        proxy.thaw()


def test_connecting_to_a_frozen_server_is_given_up_too(address: str, proxy: Proxy) -> None:
    proxy.freeze()
    with Store.open(address, patience=PATIENCE) as store:
        with pytest.raises(StoreError, match=f"no answer within {PATIENCE} s"):
            store.ping()
        assert proxy.held > 0
        proxy.thaw()
        once_back(store.ping)


def test_a_stopped_server_is_an_error_until_it_is_back(address: str, proxy: Proxy) -> None:
    with Store.open(address, patience=PATIENCE) as store:
        store.add(ONE)
        store.marks()
        proxy.stop()
        for use in (store.ping, store.marks, lambda: store.add(ONE)):
            with pytest.raises(StoreError, match="reached"):
                use()
        proxy.start()
        assert once_back(lambda: store.add(ONE)).repeated == 1
        assert once_back(lambda: store.marks("u")).user > 0


def test_a_write_that_was_given_up_half_way_leaves_nothing(address: str, proxy: Proxy, url: str) -> None:
    def freezing(added: Added) -> dict[str, Any]:
        proxy.freeze()
        return asdict(added)

    with Store.open(address, patience=PATIENCE) as store, Store.open(url) as direct:
        with pytest.raises(StoreError, match="answer"):
            store.add_once("key", "digest", ONE, freezing)
        assert direct.stats().interactions == 0
        proxy.stop()  # as a server that is killed; thawed, it could still get to read the commit
        proxy.start()
        given, repeated = once_back(lambda: store.add_once("key", "digest", ONE, asdict))
        assert (given["added"], repeated) == (1, False)


SLOW = 0.1  # seconds for each answer: far less than the patience, of which a write needs a dozen


@pytest.mark.parametrize("once", [False, True])
def test_a_write_to_a_slow_server_ends_in_time_all_in_all(address: str, proxy: Proxy, url: str, once: bool) -> None:
    new = Interactions.from_lists(["u"], ["other"])
    with Store.open(address, patience=PATIENCE) as store, Store.open(url) as direct:
        store.add(ONE)
        store.marks()
        proxy.delay = SLOW
        with pytest.raises(StoreError, match=f"all that was asked within {PATIENCE} s"):
            store.add_once("key", "digest", new, asdict) if once else store.add(new)
        assert 2 <= proxy.late <= 1 + PATIENCE / SLOW  # the fault fired: it answered, each time too late for a dozen
        assert direct.stats().interactions == 1
        assert store.marks().items == 1  # at once: it is slow, but there
        proxy.delay = 0.0
        assert store.add(new).added == 1


def test_questions_outside_a_write_and_whoever_has_no_patience_may_take_longer(address: str, proxy: Proxy) -> None:
    with Store.open(address, patience=PATIENCE) as store, Store.open(address) as other:
        other.add(ONE)
        store.marks()
        proxy.delay = SLOW
        assert other.add(Interactions.from_lists(["u"], ["other"])).added == 1
        assert proxy.late > PATIENCE / SLOW  # the fault fired
        for _ in range(3):
            assert store.item("i") is not None


def test_only_a_question_of_a_write_that_had_its_time_says_something_of_the_server(url: str) -> None:
    patience = Patience(1.0)
    with patience.within(0.0), pytest.raises(psycopg.OperationalError, match="all that was asked"):
        _ = patience.limit
    with patience.within(1.0):
        assert 0.0 < patience.limit < 1.0
        with patience.of(0.5), patience.within(600.0):
            assert patience.limit == 0.5
        assert "all that was asked" in str(patience.given_up(0.8))
        patience.enter()
        assert "no answer" in str(patience.given_up(0.99))
    assert patience.limit == 1.0
    with pytest.raises(psycopg.OperationalError, match="a moment ago"):
        patience.enter()


def test_a_lock_is_no_reason_to_give_the_server_up(address: str, url: str) -> None:
    with Store.open(address, wait=60, patience=5 * PATIENCE) as store, psycopg.connect(url) as other:
        store.add(ONE)
        store.marks()
        other.execute("update users set created = 0 where external_id = 'u'")
        with pytest.raises(StoreError, match="locked"):
            store.add(Interactions.from_lists(["u"], ["other"]))
        assert store.marks("u").user > 0  # at once, not after a pause
        other.rollback()
        assert store.add(Interactions.from_lists(["u"], ["other"])).added == 1


def test_one_caller_tries_while_the_others_fail_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("data.patience.time.monotonic", lambda: clock)
    patience = Patience(1.0)
    patience.enter()
    patience.given_up(1.0)
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            patience.enter()
    clock += 2.1
    patience.enter()  # this one tries
    with pytest.raises(psycopg.OperationalError):
        patience.enter()
    clock += 2.1
    patience.enter()  # it never came back: the next one
    patience.answered()
    patience.enter()
    patience.enter()


def test_a_long_question_given_up_says_nothing_of_the_server(url: str) -> None:
    patience = Patience(1.0)
    with patience.of(10.0):
        patience.given_up(patience.limit)
    patience.enter()
    assert patience.limit == 1.0
