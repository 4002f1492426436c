"""The real server: its workers agree, it stops when told to, and it says what is wrong in words."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from api.limits import MAX_BODY
from api.server import claim_port, serve
from recsys.errors import RecsysError, SettingError

PROGRAM = "from api.server import serve; from api.settings import Settings; serve(Settings.load())"


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
def server(app, settings):
    environment = {**os.environ, **settings.model_copy(update={"port": 0, "workers": 2}).to_environ()}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
    assert address, said
    port = int(address[1])
    yield process, port
    process.terminate()
    process.wait(timeout=20)
    process.stdout.close()


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
    assert {call(port, "GET", path)[1]["model"]["version"] for _ in range(20)} == {version}

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        call(port, "GET", "/livez")


def test_workers_do_not_outlive_a_launcher_that_was_killed(server):
    process, port = server
    assert call(port, "GET", "/livez")[0] == 200
    process.kill()
    process.wait()
    for _ in range(300):
        try:
            claim_port("127.0.0.1", port)
        except RecsysError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the port is still taken after 15 seconds")


def test_a_chunked_body_over_the_limit_is_refused_and_the_server_goes_on(server):
    _, port = server
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def chunks():
        for _ in range(2 * MAX_BODY // 65_536):
            yield b" " * 65_536

    status = None
    try:
        connection.request("POST", "/v1/feedback", chunks(), {"Content-Type": "application/json"}, encode_chunked=True)
        status = connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent
    finally:
        connection.close()
    assert status in (None, 413)
    small = b'{"events": [{"user": "c", "item": "a1", "event": "like"}]}'
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(
        "POST",
        "/v1/feedback",
        iter([small[:20], small[20:]]),
        {"Content-Type": "application/json"},
        encode_chunked=True,
    )
    assert connection.getresponse().status == 200
    connection.close()


def test_answers_go_on_while_releases_are_swapped(server, registry, make_bundle):
    _, port = server
    stop, answers, faults = threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                status, answer = call(port, "GET", "/v1/users/u1/recommendations")
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
        assert call(port, "GET", "/v1/users/u1/recommendations")[1]["model"]["version"] == version
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
