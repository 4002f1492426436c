"""Rate limits: never more than the bucket and what flowed in since, however many processes and threads draw from it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from api import rates
from api.rates import STRANGER_BURST, RateLimiter

ROOT = Path(__file__).resolve().parents[2]
HAMMER = """
import sys, time
from pathlib import Path
from api.rates import RateLimiter
limiter = RateLimiter(float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[1]))
sys.stdin.read(1)
passed, until = 0, time.monotonic() + 1.0
while time.monotonic() < until:
    passed += limiter.wait("one") == 0.0
print(passed, time.monotonic_ns())
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """A clock that stands still until it is moved."""

    class Clock:
        now = 10**12

        def monotonic_ns(self) -> int:
            return self.now

        def move(self, seconds: float) -> None:
            self.now += round(seconds * 1e9)

    found = Clock()
    monkeypatch.setattr(rates, "time", found)
    return found


def test_a_full_bucket_passes_at_once_and_then_the_rate(clock):
    limiter = RateLimiter(10, 5)
    assert [limiter.wait("a") for _ in range(5)] == [0.0] * 5
    assert limiter.wait("a") == pytest.approx(0.1)
    assert limiter.wait("a") == pytest.approx(0.1), "a refused request takes nothing"
    clock.move(0.06)
    assert limiter.wait("a") == pytest.approx(0.04)
    clock.move(0.04)
    assert limiter.wait("a") == 0.0
    assert limiter.wait("a") == pytest.approx(0.1)
    clock.move(3600)
    assert [limiter.wait("a") == 0.0 for _ in range(6)] == [True] * 5 + [False]


def test_against_a_bucket_that_is_counted_step_by_step(clock):
    """The same requests into a plain token bucket, an oracle with another state."""
    limiter = RateLimiter(8, 3)
    tokens, state = 3.0, 12345
    for _ in range(5000):
        state = (state * 1103515245 + 12345) % 2**31
        step = (state % 400) / 1024  # exact in binary, as 1/8 is
        clock.move(step)
        tokens = min(3.0, tokens + step * 8)
        passes = tokens >= 1
        assert (limiter.wait("a") == 0.0) == passes
        tokens -= passes


def test_each_caller_has_a_bucket_of_its_own(clock):
    limiter = RateLimiter(1, 2)
    for number in range(500):
        assert [limiter.wait(f"key{number}") == 0.0 for _ in range(3)] == [True, True, False]
    assert limiter.wait("key0") > 0


def test_strangers_share_one_bucket(clock):
    limiter = RateLimiter(1000, 1000)
    assert sum(limiter.wait_stranger() == 0.0 for _ in range(1000)) == STRANGER_BURST
    assert limiter.wait("a key") == 0.0


def test_no_rate_is_no_limit(clock):
    limiter = RateLimiter(0, 1)
    assert not any(limiter.wait("a") for _ in range(1000))
    assert not any(limiter.wait_stranger() for _ in range(1000))


def test_a_full_table_makes_callers_share_and_idle_slots_are_used_again(clock, monkeypatch):
    monkeypatch.setattr(rates, "_SLOTS", 4)
    limiter = RateLimiter(1, 1)
    passed = [limiter.wait(f"key{number}") == 0.0 for number in range(50)]
    assert sum(passed) == 4, "nobody gets more than there is room to count"
    clock.move(1)
    assert sum(limiter.wait(f"key{number}") == 0.0 for number in range(50, 100)) == 4


def test_a_file_of_before_the_machine_started_holds_nobody_up(clock, tmp_path):
    limiter = RateLimiter(1, 1, tmp_path / "rates")
    assert limiter.wait("a") == 0.0
    clock.now = 5  # the monotonic clock begins again
    assert limiter.wait("a") == 0.0
    assert limiter.wait("a") > 0


def test_two_limiters_on_one_file_count_together(clock, tmp_path):
    first, second = (RateLimiter(1, 10, tmp_path / "rates") for _ in range(2))
    passed = sum((first, second)[turn % 2].wait("a") == 0.0 for turn in range(40))
    assert passed == 10
    assert (tmp_path / "rates").stat().st_mode & 0o777 == 0o600


def test_threads_never_get_more_than_the_bucket(clock):
    limiter = RateLimiter(1, 1000)
    passed = []

    def draw() -> None:
        passed.append(sum(limiter.wait("a") == 0.0 for _ in range(500)))

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 1000


@pytest.mark.parametrize(("rate", "burst"), [(500, 100), (5000, 1)])
def test_processes_that_hammer_one_key_never_get_more_than_limit_and_burst(tmp_path, rate, burst):
    command = [sys.executable, "-c", HAMMER, str(tmp_path / "rates"), str(rate), str(burst)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ)
        for _ in range(3)
    ]
    limiter = RateLimiter(rate, burst, tmp_path / "rates")
    started = time.monotonic_ns()
    for process in running:
        process.stdin.write(b"x")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    passed = [int(count) for count, _ in said]
    seconds = (max(int(end) for _, end in said) - started) / 1e9
    assert sum(passed) <= burst + rate * seconds
    assert sum(passed) >= rate / 10, "they were let through at all"
    assert min(passed) > 0
    assert limiter.wait("one") >= 0.0
