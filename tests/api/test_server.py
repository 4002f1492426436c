"""The real server: its workers agree, it stops when told to, and it says what is wrong in words."""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from api.limits import MAX_BODY
from api.server import claim_port, serve
from recsys.errors import RecsysError, SettingError

PROGRAM = "from api.server import serve; from api.settings import Settings; serve(Settings.load())"
RECOMMENDED = "/v1/users/u1/recommendations"
LIKE = {"user": "c", "item": "a1", "event": "like"}


def call(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            method, path, None if body is None else json.dumps(body), headers or {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def server(app, settings, tmp_path):
    """(process, port) of two workers; what it says is in the file "said", its temporary files under "tmp"."""
    environment = {**os.environ, **settings.model_copy(update={"port": 0, "workers": 2}).to_environ()}
    (tmp_path / "tmp").mkdir()
    environment["TMPDIR"] = str(tmp_path / "tmp")
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=said, text=True
        )
    try:
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert address, (line, (tmp_path / "said").read_text())
        port = int(address[1])
        until(lambda: call(port, "GET", "/livez")[0] == 200 and len(answering(tmp_path)) == 2)
        yield process, port
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


def answering(tmp_path):
    """Process ids of those that answered anything, by the files of their counts."""
    return {int(file.stem.split("_")[1]) for file in (tmp_path / "tmp").glob("recsys-*/metrics/histogram_*.db")}


def until(holds, seconds=120.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def workers_of(process):
    """Process ids of the workers, without the helper that multiprocessing starts beside them."""
    found = []
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        with suppress(OSError):  # it has just ended
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def memory_of(workers):
    """Bytes, resident, of each."""
    return [
        int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())[1]) * 1024 for worker in workers
    ]


def test_feedback_to_one_worker_is_in_the_next_answer_of_every_worker(server, registry, make_bundle):
    process, port = server
    path = "/v1/users/new/recommendations"
    assert call(port, "GET", path)[1]["strategy"] == "popular"
    event = {"user": "new", "item": "a1", "event": "rating", "value": 5}
    assert call(port, "POST", "/v1/feedback", {"events": [event]})[0] == 200
    answers = [call(port, "GET", path)[1] for _ in range(20)]  # a connection each: both workers get some
    assert {answer["strategy"] for answer in answers} == {"personal"}
    assert all("a1" not in [row["item"] for row in answer["items"]] for answer in answers)

    (version,) = registry.publish([make_bundle(2.0)])
    until(lambda: {call(port, "GET", path)[1]["model"]["version"] for _ in range(20)} == {version}, 5.0)

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        call(port, "GET", "/livez")


def test_workers_do_not_outlive_a_launcher_that_was_killed(server, tmp_path):
    process, port = server
    assert call(port, "GET", "/livez")[0] == 200
    process.kill()
    process.wait()
    until(lambda: free(port), 15.0)
    until(lambda: not list((tmp_path / "tmp").glob("recsys-*")))  # nor does their folder


def free(port):
    try:
        claim_port("127.0.0.1", port)
    except RecsysError:
        return False
    return True


def test_a_worker_that_is_killed_is_started_again_however_often(server, tmp_path):
    process, port = server
    steady, victim = workers_of(process)
    for _ in range(3):  # at once, each time: the server must not take it for a worker that cannot start
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(set(workers_of(process)) - {steady, victim}) == 1)  # noqa: B023
        (victim,) = set(workers_of(process)) - {steady}
        assert process.poll() is None
    assert steady in workers_of(process)

    def answered():
        try:
            return call(port, "GET", RECOMMENDED)[0] == 200
        except ConnectionError:  # it was waiting at the door of the one that was killed
            return False

    until(lambda: answered() and victim in answering(tmp_path))


def test_requests_under_way_are_finished_when_it_is_told_to_stop(server, settings):
    process, port = server
    answers = []
    other = sqlite3.connect(settings.home / "recsys.db", isolation_level=None)
    other.execute("begin immediate")  # feedback waits for this
    posting = threading.Thread(target=lambda: answers.append(call(port, "POST", "/v1/feedback", {"events": [LIKE]})))
    posting.start()
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert not answers
    other.rollback()
    other.close()
    posting.join()
    assert [(status, body["added"]) for status, body in answers] == [(200, 1)]
    assert process.wait(timeout=20) == 0


def test_a_chunked_body_over_the_limit_is_refused_early_and_the_server_goes_on(server):
    process, port = server
    call(port, "POST", "/v1/feedback", {"events": [LIKE]})
    before = memory_of(workers_of(process))
    sent, status = 0, None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def chunks():
        nonlocal sent
        for _ in range(100 * 1024 * 1024 // 65_536):
            yield b" " * 65_536
            sent += 65_536

    try:
        connection.request("POST", "/v1/feedback", chunks(), {"Content-Type": "application/json"}, encode_chunked=True)
        status = connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent
    finally:
        connection.close()
    assert status in (None, 413)
    assert MAX_BODY <= sent <= 20 * MAX_BODY  # what the system's buffers take is sent, too
    assert max(after - then for after, then in zip(memory_of(workers_of(process)), before, strict=True)) < 8 * MAX_BODY
    small = json.dumps({"events": [LIKE]}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    parts = iter([small[:20], small[20:]])
    connection.request("POST", "/v1/feedback", parts, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_slow_clients_do_not_hold_up_the_others(server):
    """Half a body from each, or half a header, and then nothing: more of them than there are processes."""
    _, port = server
    head = b"POST /v1/feedback HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    typed = head + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    try:
        for number, client in enumerate(slow):
            client.sendall(head if number % 2 else typed)
        time.sleep(0.3)
        started = time.monotonic()
        statuses = [call(port, "GET", RECOMMENDED)[0] for _ in range(40)]
        assert time.monotonic() - started < 10
        assert statuses == [200] * 40
        for client in slow:  # they were waited for all the time
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
    finally:
        for client in slow:
            client.close()


def test_counts_and_lines_come_from_all_workers_and_nothing_is_left_at_the_end(server, tmp_path):
    process, port = server
    for number in range(30):
        call(port, "GET", RECOMMENDED, headers={"X-Request-ID": f"r{number}"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    route = "/v1/users/{user}/recommendations"
    assert f'recsys_request_seconds_count{{method="GET",route="{route}",status="2xx"}} 30.0' in text
    assert answering(tmp_path) == set(workers_of(process))
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert not list((tmp_path / "tmp").glob("recsys-*"))
    lines = [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]
    assert all(line["event"] == "request" for line in lines), lines  # no warning of the server's own
    assert {line["request_id"] for line in lines} >= {f"r{number}" for number in range(30)}


def test_answers_go_on_while_releases_are_swapped(server, registry, make_bundle):
    _, port = server
    stop, answers, faults = threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                status, answer = call(port, "GET", RECOMMENDED)
                answers.append((status, answer["model"]["version"]))
            except (OSError, KeyError, ValueError) as error:
                faults.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    versions = {registry.live().models["als"]}
    for turn in range(10):
        (version,) = registry.publish([make_bundle(1.0 + turn)])
        versions.add(version)
        until(lambda: call(port, "GET", RECOMMENDED)[1]["model"]["version"] == version, 5.0)  # noqa: B023
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} <= versions
    assert answers


def test_a_taken_port_is_said_in_words(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RecsysError, match=f"port {port}") as caught:
            serve(settings.model_copy(update={"port": port}))
    assert caught.value.exit_status == 1
    assert "--port" in caught.value.do


def test_port_0_means_any_free_one():
    assert claim_port("127.0.0.1", 0) > 0


def test_an_address_that_others_can_reach_is_refused_before_anything_starts(settings):
    with pytest.raises(SettingError):
        serve(settings.model_copy(update={"host": "0.0.0.0"}))


def test_debug_mode_is_refused_before_anything_starts(settings, monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(SettingError, match="debug"):
        serve(settings)
