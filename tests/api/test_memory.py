"""What a worker remembers: never older than what the database last said, unless the database says nothing at all."""

import sys
import time

import pytest

from api.memory import NOBODY, Memory
from data.records import Marks
from recsys.errors import SchemaMismatch, StoreError
from tests.api.world import World
from tests.threads import together

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


def test_somebody_forgotten_elsewhere_does_not_come_back_while_the_database_is_away(world, index):
    """The worker is asked something between the deletion and the outage, but nothing about them."""
    memory = Memory(world, retry=0.0)
    memory.watch()
    world.add("other", "i1")
    ask(memory, "u")
    ask(memory, "other")
    world.forget("u")
    index.now = b"2"
    ask(memory, "other")
    world.fault = AWAY
    index.now = b"3"
    assert ask(memory, "u") == ([], True)
    assert ask(memory, "other") == (["i1"], True)
    assert "u" not in memory._kept._held


def test_somebody_forgotten_elsewhere_and_asked_for_by_nobody_is_out_of_memory(world):
    memory = Memory(world)
    ask(memory, "u")
    assert len(memory._histories) == 1
    world.forget("u")
    memory.marks()
    assert len(memory._histories) == 0


def test_somebody_who_is_gone_without_being_counted_is_out_of_memory_once_asked_for(world):
    memory = Memory(world)
    ask(memory, "u")
    world.forget("u")
    world.forgotten = 0
    assert ask(memory, "u") == ([], False)
    assert len(memory._histories) == 0


def test_somebody_forgotten_here_is_out_of_memory_at_once(world, index):
    memory = Memory(world, retry=0.0)
    memory.watch()
    ask(memory, "u")
    world.forget("u")
    memory.forget("u")
    assert len(memory._histories) == len(memory._kept) == 0
    world.fault = AWAY
    index.now = b"2"
    assert ask(memory, "u") == ([], True)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
@pytest.mark.parametrize("what", ["marks", "history"])
def test_somebody_forgotten_while_they_are_read_is_not_put_into_memory(world, index, what, where):
    """One thread has read marks, or a history, and holds it; then they are forgotten; then it goes on."""
    memory, happened = Memory(world), []
    memory.watch()
    world.add("other", "i1")
    memory.marks("other")
    index.now = b"2"
    marks = memory.marks("u")[0] if what == "history" else None

    def forgotten():
        world.after = lambda: None
        world.forget("u")
        if where == "here":
            memory.forget("u")
        else:
            index.now = b"3"
            memory.marks("other")
        happened.append(1)

    world.after = forgotten
    if what == "marks":
        assert memory.marks("u")[0].user != NOBODY
    else:
        assert ids(memory.history("u", marks, False)[0]) == ["i1", "i2"]
    assert happened
    assert "u" not in memory._histories._held
    assert "u" not in memory._kept._held


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

    together(work, 6)
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


def test_marks_in_memory_are_bounded_by_bytes_however_long_the_ids_are(world, index):
    memory = Memory(world, marks_bytes=100_000)
    memory.watch()
    for number in range(300):
        memory.marks(f"{number}" + "x" * 10_000)
        memory.marks(f"{number}" + "\U0001f600" * 10_000)
    held = [user for user in memory._kept._held if user is not None]
    assert sum(map(sys.getsizeof, held)) <= memory._kept.size <= 100_000
    assert held, "something was kept at all"
    for number in range(3_000):
        memory.marks(f"{number}")
    assert 30 < len(memory._kept) < 1_000


def test_a_database_that_fails_when_a_history_is_read_is_not_asked_by_every_request(world, index):
    """The marks are known without a question, the history is not."""
    memory = Memory(world, retry=0.2)
    memory.watch()
    memory.marks("u")
    world.fault = AWAY
    world.asked.clear()
    for _ in range(100):
        assert ask(memory, "u") == ([], True)
    assert 1 <= world.asked.count("history") <= 2
    assert memory.away
    world.fault = None
    end = time.monotonic() + 10
    while ask(memory, "u")[1]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert ask(memory, "u") == (["i1", "i2"], False)
    assert not memory.away


def test_who_asks_the_database_itself_tells_the_memory_that_it_is_back(world, index):
    memory = Memory(world, retry=60.0)
    memory.watch()
    memory.marks("u")
    world.fault = AWAY
    assert ask(memory, "u") == ([], True)
    for _ in range(2):
        with pytest.raises(StoreError):
            memory.ask()
    assert memory.away
    world.fault = None
    assert ask(memory, "u") == ([], True)
    assert memory.ask() == Marks(0, 0, NOBODY)
    assert not memory.away
    assert ask(memory, "u") == (["i1", "i2"], False)
