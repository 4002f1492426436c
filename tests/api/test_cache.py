"""Answers kept in memory: the same but for their id, and never once anything they were made from has changed."""

import sys
import threading

import orjson
import pytest

from api.cache import AnswerCache, Bounded
from data.records import Marks

MARKS = Marks(items=3, keys=1, user=7)
Q = ("u", b"n=5")
ID = "0123456789abcdef"


def answer(id_, title="plain"):
    return orjson.dumps({"user": "u", "strategy": "personal", "id": id_, "items": [{"item": "i", "title": title}]})


def put(cache, key, marks=MARKS, release=1, id_=ID, title="plain"):
    cache.put(key, marks, release, answer(id_, title), id_, "personal", "als")


@pytest.mark.parametrize("title", ["plain", '"id":"0123"', "\u2028 é \\", "0123456789abcdef"])
def test_a_kept_answer_is_the_same_bytes_but_for_its_id(title):
    cache = AnswerCache()
    put(cache, Q, title=title)
    kept = cache.get(Q, MARKS, 1)
    assert kept.body("0123456789abcdef") == answer("0123456789abcdef", title)
    assert kept.body("fedcba9876543210") == answer("fedcba9876543210", title)
    assert (kept.strategy, kept.model) == ("personal", "als")


def test_a_change_of_items_user_or_release_ends_an_answer_and_a_key_of_the_api_does_not():
    cache = AnswerCache()
    put(cache, Q)
    assert cache.get(Q, Marks(items=4, keys=1, user=7), 1) is None
    assert cache.get(Q, Marks(items=3, keys=1, user=8), 1) is None
    assert cache.get(Q, MARKS, 2) is None
    assert cache.get(("u", b"other"), MARKS, 1) is None
    assert cache.get(("other", Q[1]), MARKS, 1) is None
    assert cache.get(Q, Marks(items=3, keys=9, user=7), 1).body(ID) == answer(ID)


def test_when_somebody_was_forgotten_no_answer_of_before_rests_in_memory():
    cache, later = AnswerCache(), Marks(items=3, keys=1, user=7, forgotten=1)
    put(cache, Q)
    put(cache, ("other", b""))
    assert len(cache._kept) == 2
    assert cache.get(("third", b""), later, 1) is None
    assert len(cache._kept) == 0
    put(cache, Q, MARKS)  # made from what was read before
    assert len(cache._kept) == 0
    put(cache, Q, later)
    assert cache.get(Q, later, 1) is not None


def test_an_answer_without_its_id_is_a_mistake():
    with pytest.raises(ValueError, match="does not hold its id"):
        AnswerCache().put(Q, MARKS, 1, b'{"items":[]}', "0123456789abcdef", "personal", "als")


def test_memory_is_bounded_and_what_was_not_asked_for_goes_first():
    kept = Bounded(10)
    for key in "abc":
        kept.put(key, key.upper(), 3)
    assert kept.get("a") == "A"
    kept.put("d", "D", 3)
    assert [kept.get(key) for key in "abcd"] == ["A", None, "C", "D"]
    assert (kept.size, len(kept)) == (9, 3)
    kept.put("a", "again", 1)
    assert kept.size == 7
    kept.put("c", "too large", 11)
    assert (kept.get("c"), kept.size) == (None, 4)
    kept.drop("nobody")
    kept.drop("a")
    assert (kept.size, len(kept)) == (3, 1)


def test_many_answers_take_no_more_than_the_bound():
    cache = AnswerCache(most_bytes=50_000)
    for number in range(1_000):
        put(cache, (f"{number}", b"n=5"))
    assert cache._kept.size <= 50_000
    assert cache.get(("999", b"n=5"), MARKS, 1) is not None
    assert cache.get(("0", b"n=5"), MARKS, 1) is None


def test_a_long_question_counts_with_its_answer():
    cache = AnswerCache(most_bytes=1_000_000)
    for number in range(200):
        put(cache, ("u", b"exclude=%d" % number + b"x" * 60_000))
        put(cache, (f"{number}" + "\U0001f600" * 255, b""))
    held = sum(sys.getsizeof(part) for key in cache._kept._held for part in key)
    assert 100_000 < held <= cache._kept.size <= 1_000_000


def test_threads_never_get_an_answer_of_other_marks():
    """Each thread writes and reads under marks that grow: what comes back was made under those asked for."""
    cache, faults, found = AnswerCache(most_bytes=20_000), [], []
    sys.setswitchinterval(1e-5)

    def work(seed):
        for turn in range(2_000):
            marks = Marks(items=turn % 5, keys=0, user=(turn + seed) % 3)
            title = f"{marks.items}-{marks.user}"
            put(cache, (f"{turn % 7}", b""), marks, release=0, title=title)
            kept = cache.get((f"{(turn + seed) % 7}", b""), marks, 0)
            if kept is not None:
                found.append(1)
                if title not in kept.body("x").decode():
                    faults.append(title)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(0.005)
    assert not faults
    assert found
    assert cache._kept.size == sum(size for _, size in cache._kept._held.values())
