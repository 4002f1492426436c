"""Around the app: what is in memory goes out in one piece, what is streamed as it comes, and both are closed."""

from __future__ import annotations

import pytest
from flask import Flask, Response

from api import observing


@pytest.fixture
def app():
    made = Flask("observed")
    made.closed = []

    @made.get("/whole")
    def whole():
        answer = Response(b"whole")
        answer.call_on_close(lambda: made.closed.append("whole"))
        return answer

    @made.get("/streamed")
    def streamed():
        def pieces():
            yield b"one "
            assert made.closed == []
            yield b"two"

        answer = Response(pieces())
        answer.call_on_close(lambda: made.closed.append("streamed"))
        return answer

    @made.get("/broken")
    def broken():
        raise RuntimeError

    observing.observe(made)
    return made


def ask(app, path, method="GET"):
    """(status, headers, the answer as the server gets it)."""
    said = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    answer = app.wsgi_app(environ, lambda status, headers, fault=None: said.append((status, dict(headers))))
    return *said[0], answer


def test_what_is_in_memory_is_a_list_and_closed(app):
    status, headers, answer = ask(app, "/whole")
    assert (status, answer, app.closed) == ("200 OK", [b"whole"], ["whole"])
    assert headers["Content-Length"] == "5"


def test_a_question_for_headers_alone_has_no_body(app):
    status, headers, answer = ask(app, "/whole", "HEAD")
    assert (status, answer, headers["Content-Length"]) == ("200 OK", [], "5")


def test_what_is_streamed_comes_piece_by_piece(app):
    _, headers, answer = ask(app, "/streamed")
    assert "Content-Length" not in headers
    pieces = iter(answer)
    assert next(pieces) == b"one "
    assert (next(pieces), app.closed) == (b"two", [])
    answer.close()
    assert app.closed == ["streamed"]


def test_every_answer_has_an_id_of_its_own(app):
    ids = {ask(app, path)[1][observing.HEADER] for path in ("/whole", "/streamed", "/broken", "/nowhere")}
    assert len(ids) == 4
