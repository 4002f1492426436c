"""Whether the database answers is known in time, also of one that never does."""

import threading
import time

from api.pulse import Beat, Pulse
from recsys.errors import SchemaMismatch, StoreError


def test_a_database_that_answers_says_its_version_and_how_long_it_took():
    beat = Pulse(lambda: "0002").beat()
    assert (beat.up, beat.found, beat.fault) == (True, "0002", None)
    assert beat.milliseconds >= 0


def test_an_error_is_told_by_its_name_only():
    def fail():
        raise error

    for error in (StoreError("secret"), SchemaMismatch("secret")):
        assert Pulse(fail).beat() == Beat(False, fault=type(error).__name__)


def test_a_database_that_hangs_is_asked_once_and_seen_when_it_is_back():
    thaw, asked = threading.Event(), []

    def hang():
        asked.append(1)
        thaw.wait()

    pulse = Pulse(hang, patience=0.05)
    beats = []
    threads = [threading.Thread(target=lambda: beats.append(pulse.beat())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert beats == [Beat(False, fault="Timeout")] * 20
    assert len(asked) == 1
    thaw.set()
    end = time.monotonic() + 10
    while not pulse.beat().up:
        assert time.monotonic() < end
