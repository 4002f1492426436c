"""The items in memory: whatever changed is seen by whoever asks under the new mark, at once."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
from sqlalchemy import text

import migrations
from api.assortments import Assortments
from data.store import Store
from data.transactions import writing
from recsys.errors import SchemaMismatch, StoreError
from recsys.interactions import NO_TIME
from tests.api.world import World
from tests.threads import together, until


@pytest.fixture
def world():
    found = World()
    found.put("a", title="A", categories=["x", "y"], created=5)
    found.put("b")
    return found


def test_an_item_is_held_as_the_store_has_it(world):
    held = Assortments(world).current(2)
    assert (held.stamp, [article.id for article in held.articles]) == (2, ["a", "b"])
    a, b = held.articles
    assert (a.title, a.categories, a.created, a.shown) == ("A", ("x", "y"), 5, True)
    assert (b.title, b.categories, b.created, b.shown) == (None, (), NO_TIME, True)


def test_only_what_changed_is_read_and_only_under_another_mark(world):
    assortments = Assortments(world)
    first = assortments.current(2)
    assert assortments.current(2) is first
    assert world.asked == ["items"]
    mark = world.put("b", hidden=True)
    second = assortments.current(mark)
    assert (second.find("b").shown, second.find("a").shown) == (False, True)
    assert second.find("a") is first.find("a")
    assert first.find("b").shown
    mark = world.put("a", deleted=True)
    assert not assortments.current(mark).find("a").shown
    mark = world.put("a", title="back")
    assert (assortments.current(mark).title("a"), assortments.current(mark).find("a").shown) == ("back", True)


def test_a_request_with_an_older_mark_gets_what_another_already_read(world):
    assortments = Assortments(world)
    assortments.current(world.put("c"))
    assert assortments.current(2).stamp == 3


def test_another_database_in_its_place_is_read_from_its_start(world):
    assortments = Assortments(world)
    for _ in range(5):
        mark = world.put("c", hidden=True)
    assortments.current(mark)
    world.states.clear()
    world.items_mark = 0
    mark = world.put("d")
    assert [article.id for article in assortments.current(mark).articles] == ["d"]


def test_while_the_database_is_away_the_items_stay_as_they_were(world):
    assortments = Assortments(world)
    world.fault = StoreError("away")
    with pytest.raises(StoreError):
        assortments.current(2)
    world.fault = None
    first = assortments.current(2)
    mark = world.put("b", hidden=True)
    world.fault = StoreError("away")
    world.asked.clear()
    for _ in range(20):
        assert assortments.current(mark) is first
    assert first.stamp < mark
    assert world.asked == ["items"]  # not once for every request


def test_a_database_of_another_version_is_an_error(world):
    assortments = Assortments(world)
    assortments.current(2)
    world.fault = SchemaMismatch("other tables")
    with pytest.raises(SchemaMismatch):
        assortments.current(3)


def test_one_thread_reads_and_all_see_the_change(world):
    assortments = Assortments(world)
    assortments.current(2)
    missed, start = [], threading.Barrier(8)

    def work(number):
        for turn in range(50):
            start.wait()
            if number == 0:
                world.put(f"hidden{turn}", hidden=True)
            start.wait()
            held = assortments.current(world.items_mark)
            article = held.find(f"hidden{turn}")
            if article is None or article.shown:
                missed.append(turn)

    together(work, 8)
    assert not missed
    assert world.asked.count("items") == 51


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_items_from_before_changes_were_counted_are_known_and_hidden_ones_stay_hidden(engine, tmp_path, request):
    url = request.getfixturevalue("postgresql") if engine == "postgresql" else f"sqlite:///{tmp_path / 'old.db'}"
    with Store.open(url, create=True) as store:
        migrations.upgrade(store.engine, "0001")
        with writing(store.engine) as connection:
            connection.execute(
                text(
                    "insert into items (external_id, title, hidden, created)"
                    " values ('old', 'An old one', :no, 1), ('secret', 'Not for you', :yes, 1)"
                ),
                {"no": False, "yes": True},
            )
        migrations.upgrade(store.engine)
        held = Assortments(store).current(store.marks().items)
    assert held.title("old") == "An old one"
    assert [article.id for article in held.articles if not article.shown] == ["secret"]


class Slow(World):
    """A database that answers questions about items only once it is let go. entered: it was asked one."""

    def __init__(self):
        super().__init__()
        self.entered, self.free = threading.Event(), threading.Event()
        self.free.set()

    def items_changed(self, since):
        found = super().items_changed(since)
        self.entered.set()
        assert self.free.wait(60)
        return found


def in_thread(work):
    """What comes of it; a minute without an answer is a failure."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(60)


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr("api.work.WAIT_SECONDS", 0.05)
    world = Slow()
    world.put("a")
    yield world
    world.free.set()


def test_nobody_waits_long_for_a_database_that_does_not_answer_while_items_are_held(slow):
    assortments = Assortments(slow)
    first = assortments.current(1)
    mark = slow.put("a", hidden=True)
    slow.entered.clear()
    slow.free.clear()
    for _ in range(5):  # who asks, and who comes later
        assert in_thread(lambda: assortments.current(mark)) is first
    assert slow.entered.is_set()  # the fault fired
    assert first.stamp < mark  # so the answer says that it is stale
    assert slow.asked == ["items", "items"]  # the five asked one question
    slow.free.set()
    until(lambda: assortments.current(mark).stamp == mark)
    assert not assortments.current(mark).find("a").shown


def test_a_list_says_that_it_is_stale_while_a_change_of_items_cannot_be_read(client, app, monkeypatch):
    monkeypatch.setattr("api.work.WAIT_SECONDS", 0.05)
    store, free, asked = app.extensions["recsys"].store, threading.Event(), []
    assert client.get("/v1/users/u1/recommendations").get_json()["stale"] is False
    read = store.items_changed
    monkeypatch.setattr(store, "items_changed", lambda since: (asked.append(since), free.wait(60), read(since))[2])
    client.put("/v1/items/b0", json={"hidden": True})
    for _ in range(3):
        answer = in_thread(lambda: client.get("/v1/users/u1/recommendations"))
        assert (answer.status_code, answer.get_json()["stale"]) == (200, True)
    assert len(asked) == 1  # the fault fired
    free.set()
    until(lambda: client.get("/v1/users/u1/recommendations").get_json()["stale"] is False)
    assert "b0" not in client.get("/v1/users/nobody/recommendations?n=50").get_data(as_text=True)


def test_a_read_that_began_before_a_change_is_not_taken_for_the_one_after_it(slow, monkeypatch):
    monkeypatch.setattr("api.work.WAIT_SECONDS", 60.0)
    assortments = Assortments(slow)
    assortments.current(1)
    earlier = slow.put("b")
    slow.entered.clear()
    slow.free.clear()
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(assortments.current, earlier)
        assert slow.entered.wait(60)
        later = slow.put("c")
        waiting = pool.submit(assortments.current, later)
        slow.free.set()
        assert reading.result(60).stamp >= earlier
        assert waiting.result(60).find("c") is not None


def test_what_nobody_expected_while_reading_is_raised_where_it_is_asked_for(world, monkeypatch):
    assortments = Assortments(world)
    assortments.current(2)
    mark = world.put("c")
    monkeypatch.setattr(world, "items_changed", lambda since: 1 // 0)
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    with pytest.raises(CancelledError):
        assortments.current(mark)
