"""The webhook: told what matters, and never a reason for a night to fail."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from api.notify import post

NIGHT = {
    "night": 7,
    "status": "done",
    "decision": "promote",
    "reason": "als: promote: Promoted.",
    "published": {"live": {"als": "V2"}, "promoted": {"als": "V2"}},
    "report": "/var/reports/x",
    "verdicts": {},
}


class Hook:
    """A server that keeps what it was told. status: what it answers."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret"


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def test_it_is_told_how_the_night_ended_and_what_is_live(hook: Hook):
    assert post(hook.url, NIGHT) == "the webhook answered 200"
    [told] = hook.told
    assert told == {
        "event": "night",
        "night": 7,
        "status": "done",
        "decision": "promote",
        "reason": "als: promote: Promoted.",
        "live": {"als": "V2"},
        "promoted": {"als": "V2"},
        "report": "/var/reports/x",
    }


def test_a_night_that_failed_early_is_told_as_well(hook: Hook):
    post(hook.url, {"status": "failed", "decision": None, "reason": "the database is gone", "verdicts": {}})
    assert (hook.told[0]["status"], hook.told[0]["live"]) == ("failed", None)


def test_a_webhook_that_refuses_is_named_and_nothing_fails(hook: Hook):
    hook.status = 500
    assert "500" in post(hook.url, NIGHT)
    assert hook.told


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "file:///etc/passwd", "nonsense", "http://[", "ftp://127.0.0.1/", "http://hooks:PORT/x"],
)
def test_a_webhook_that_cannot_be_reached_is_named(url: str):
    assert post(url, NIGHT).startswith("the webhook was not told: ")


@pytest.mark.parametrize("answer", [b"hello\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, b""])
def test_a_webhook_that_speaks_no_http_is_named(answer: bytes):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        said = post(f"http://127.0.0.1:{server.getsockname()[1]}/", NIGHT)
        thread.join()
    assert said.startswith("the webhook was not told: ")


def test_a_webhook_that_does_not_end_its_answer_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = post(f"http://127.0.0.1:{server.getsockname()[1]}/", NIGHT, seconds=0.2)
    assert said.startswith("the webhook was not told: ")


def test_without_one_nothing_is_sent():
    assert post("", NIGHT) == "no webhook is set"
