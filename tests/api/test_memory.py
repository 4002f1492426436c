"""What a worker remembers: never older than what the database last said, unless the database says nothing at all."""

import threading
import time

import pytest

from api.memory import NOBODY, Memory
from data.records import Marks
from recsys.errors import SchemaMismatch, StoreError
from tests.api.world import World

AWAY = StoreError("the database cannot be reached")


@pytest.fixture
def world():
    found = World()
    found.add("u", "i1")
    found.add("u", "i2")
    return found


def ids(history):
    return history.item.decode().tolist()


def ask(memory, user):
    """As a request does: (items of the history, stale)."""
    marks, stale = memory.marks(user)
    history, stale = memory.history(user, marks, stale)
    return ids(history), stale


def test_a_history_is_read_once_until_the_user_changes(world):
    memory = Memory(world)
    assert ask(memory, "u") == (["i1", "i2"], False)
    assert ask(memory, "u") == (["i1", "i2"], False)
    assert world.asked == ["marks", "history", "marks"]
    world.add("u", "i3")
    world.add("other", "i1")
    assert ask(memory, "u") == (["i1", "i2", "i3"], False)
    assert world.asked[3:] == ["marks", "history"]


def test_somebody_unknown_costs_no_question_for_a_history(world):
    assert ask(Memory(world), "nobody") == ([], False)
    assert world.asked == ["marks"]


def test_a_change_between_marks_and_history_is_read_again_next_time(world):
    memory = Memory(world)
    world.between = lambda: world.add("u", "i3")
    assert ask(memory, "u") == (["i1", "i2", "i3"], False)
    world.between = lambda: None
    world.asked.clear()
    assert ask(memory, "u") == (["i1", "i2", "i3"], False)
    assert world.asked == ["marks", "history"]


def test_while_the_database_is_away_the_last_history_is_given_and_called_stale(world):
    memory = Memory(world, retry=0.0)
    ask(memory, "u")
    world.fault = AWAY
    assert ask(memory, "u") == (["i1", "i2"], True)
    assert memory.away
    assert ask(memory, "never asked for") == ([], True)
    assert memory.marks("never asked for") == (Marks(0, 0, NOBODY), True)
    world.fault = None
    world.add("u", "i3")
    assert ask(memory, "u") == (["i1", "i2", "i3"], False)
    assert not memory.away


def test_a_database_that_fails_between_marks_and_history_makes_the_answer_stale(world):
    memory = Memory(world)
    ask(memory, "u")
    world.add("u", "i3")
    marks, stale = memory.marks("u")
    fresh, unread = memory.marks("new"), memory.marks("u")
    assert not stale
    world.fault = AWAY
    assert (ids(memory.history("u", marks, stale)[0]), memory.history("u", marks, stale)[1]) == (["i1", "i2"], True)
    assert fresh[0].user == NOBODY
    assert unread[0].user != NOBODY
    history, stale = memory.history("w", Marks(0, 0, 5), False)
    assert (ids(history), stale) == ([], True)


def test_a_database_that_failed_is_asked_by_one_request_a_moment_later_and_not_by_all(world):
    memory = Memory(world, retry=0.2)
    ask(memory, "u")
    world.fault = AWAY
    ask(memory, "u")
    world.asked.clear()
    for _ in range(100):
        assert ask(memory, "u") == (["i1", "i2"], True)
    assert len(world.asked) <= 1
    world.fault = None
    end = time.monotonic() + 10
    while ask(memory, "u")[1]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not ask(memory, "u")[1]


def test_without_anything_known_the_error_is_told(world):
    world.fault = AWAY
    memory = Memory(world)
    for _ in range(2):
        with pytest.raises(StoreError):
            memory.marks("u")


def test_a_database_of_another_version_is_no_reason_to_answer_from_memory(world):
    memory = Memory(world)
    ask(memory, "u")
    world.fault = SchemaMismatch("other tables")
    with pytest.raises(SchemaMismatch):
        memory.marks("u")
    with pytest.raises(SchemaMismatch):
        memory.history("u", Marks(0, 0, 99), False)


def test_nothing_of_a_forgotten_user_stays(world):
    memory = Memory(world, retry=0.0)
    ask(memory, "u")
    world.forget("u")
    assert ask(memory, "u") == ([], False)
    world.fault = AWAY
    assert ask(memory, "u") == ([], True)
    assert len(memory._histories) == 0


def test_memory_is_bounded_by_events(world):
    memory = Memory(world, most_events=2_000)
    for number in range(200):
        world.add(f"v{number}", "i1")
        ask(memory, f"v{number}")
    assert 0 < memory._histories.size <= 2_000
    ask(memory, "v199")
    assert world.asked[-1] == "marks"
    ask(memory, "v0")
    assert world.asked[-1] == "history"


def test_every_event_is_in_the_next_answer_while_many_threads_read_and_write(world):
    """Whoever added an event asks next: their own event is always there, whatever others read meanwhile."""
    memory, missed = Memory(world, most_events=400), []

    def work(number):
        for turn in range(300):
            item = f"{number}-{turn}"
            world.add(f"shared{turn % 3}", item)
            if item not in ask(memory, f"shared{turn % 3}")[0]:
                missed.append(item)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missed
    assert world.asked.count("history") > 100


class Index:
    """A wal-index whose state the test sets."""

    def __init__(self, state=b"1"):
        self.now = state

    def state(self):
        return self.now


@pytest.fixture
def index(world):
    world.index = Index()
    return world.index


def test_while_nothing_was_committed_nothing_is_asked_again(world, index):
    memory = Memory(world)
    memory.watch()
    for _ in range(3):
        assert ask(memory, "u") == (["i1", "i2"], False)
        assert ask(memory, "nobody") == ([], False)
    assert world.asked == ["marks", "history", "marks"]
    world.add("u", "i3")
    index.now = b"2"
    for _ in range(2):
        assert ask(memory, "u") == (["i1", "i2", "i3"], False)
    assert world.asked[3:] == ["marks", "history"]


def test_while_a_commit_is_on_its_way_the_database_is_asked(world, index):
    memory = Memory(world)
    memory.watch()
    ask(memory, "u")
    index.now = None
    world.asked.clear()
    for _ in range(2):
        assert ask(memory, "u") == (["i1", "i2"], False)
    assert world.asked == ["marks", "marks"]


def test_a_commit_between_the_state_and_the_marks_is_seen_at_the_next_request(world, index):
    memory = Memory(world)
    memory.watch()
    ask(memory, "u")
    states = iter([b"2", b"3"])
    index.state = lambda: next(states, b"3")
    ask(memory, "u")  # read under b"2", while the database was at b"3" already
    world.asked.clear()
    ask(memory, "u")
    assert world.asked == ["marks"]


def test_a_database_that_says_nothing_of_its_changes_is_asked_every_time(world):
    memory = Memory(world)
    memory.watch()
    ask(memory, "u")
    ask(memory, "u")
    assert world.asked == ["marks", "history", "marks"]


def test_what_failed_is_asked_again_though_nothing_was_committed(world, index):
    memory = Memory(world, retry=0.0)
    memory.watch()
    ask(memory, "u")
    index.now = b"2"
    world.fault = AWAY
    assert ask(memory, "u") == (["i1", "i2"], True)
    world.fault = None
    assert ask(memory, "u") == (["i1", "i2"], False)
