"""What is trending: counted beside the requests, of which none waits long for it."""

from __future__ import annotations

import threading

import pytest

from api.trends import Trends
from recsys.errors import StoreError
from tests.threads import until


class Counting:
    """A store that counts once it is let go. entered: it was asked to."""

    def __init__(self):
        self.entered, self.free = threading.Event(), threading.Event()
        self.fault = None
        self.asked = 0

    def trending(self, now, half_life, since, n):
        self.asked += 1
        self.entered.set()
        assert self.free.wait(60)
        if self.fault is not None:
            raise self.fault
        return [("a1", 2.0)]


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr("api.work.WAIT_SECONDS", 0.05)
    found = Counting()
    yield found
    found.free.set()


def test_nobody_waits_long_for_the_first_list(store):
    trends, found = Trends(store, 7.0), []
    threads = [threading.Thread(target=lambda: found.append(trends.current()), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert store.entered.wait(60)  # the fault fired
    for thread in threads:
        thread.join(60)
    assert found == [None, None, None]
    assert store.asked == 1
    store.free.set()
    until(lambda: trends.current() is not None)
    assert trends.current().items == (("a1", 2.0),)
    assert store.asked == 1


def test_an_old_list_is_given_while_a_new_one_is_made(store, monkeypatch):
    trends = Trends(store, 7.0)
    store.free.set()
    until(lambda: trends.current() is not None)
    first = trends.current()
    store.entered.clear()
    store.free.clear()
    monkeypatch.setattr(trends, "_until", 0.0)
    assert trends.current() is first
    assert store.entered.wait(60)
    assert trends.current() is first
    assert store.asked == 2
    store.free.set()
    until(lambda: trends.current() is not first)


def test_a_list_that_cannot_be_counted_is_an_error_only_while_there_is_none(store, monkeypatch):
    trends = Trends(store, 7.0)
    monkeypatch.setattr("api.work.WAIT_SECONDS", 60.0)
    store.free.set()
    store.fault = StoreError("away")
    with pytest.raises(StoreError, match="away"):
        trends.current()
    store.fault = None
    first = trends.current()
    assert first is not None
    store.fault = StoreError("away")
    monkeypatch.setattr(trends, "_until", 0.0)
    assert trends.current() is first
    until(lambda: store.asked == 3 and trends._until > 0)
    assert trends.current() is first
    assert store.asked == 3


def test_until_it_is_counted_what_is_popular_is_answered(client, app, store, monkeypatch):
    trends = app.extensions["recsys"].trends
    monkeypatch.setattr(trends, "_store", store)
    answer = client.get("/v1/items/trending?n=3")
    assert store.entered.is_set()
    body = answer.get_json()
    assert (answer.status_code, body["strategy"], body["at"], body["stale"]) == (200, "popular", None, False)
    store.free.set()
    until(lambda: client.get("/v1/items/trending").get_json()["at"] is not None)
    assert client.get("/v1/items/trending").get_json()["items"][0]["item"] == "a1"
