"""One line a request: what stands in it, what never does, and that nobody can write a line of their own."""

import hmac
import json
import logging
import os
import re
import subprocess
import sys
from datetime import datetime
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from flask import Flask, g

from api import logs, metrics, observing
from api.pseudonyms import naming
from recsys.errors import StoreError
from tests.conftest import ROOT

UNSENT = "\r\n\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"  # what str.splitlines takes for an end of line


def make(format_="json", named=str):
    app = Flask("logged")

    @app.route("/v1/users/<path:user>/recommendations", methods=["GET", "POST"])
    def for_user(user):
        g.caller = SimpleNamespace(id="0123abcd")
        metrics.answered("als", "personal")
        logging.getLogger("recsys.test").warning("about %s", "one\ntwo\u2028three")
        return {"request_id": observing.request_id()}

    @app.get("/broken")
    def broken():
        raise ZeroDivisionError

    observing.observe(app, logs.request_line(format_, named))
    return app


@pytest.fixture
def client():
    return make().test_client()


def lines(capfd):
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if '"event":"request"' in line]


def test_a_line_says_who_asked_what_and_how_it_was_answered(client, capfd):
    client.get("/v1/users/u1/recommendations?n=3&exclude=secret", headers={"X-Request-ID": "abc-1"})
    (line,) = lines(capfd)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert 0 < line.pop("ms") < 10_000
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "abc-1",
        "method": "GET",
        "route": "/v1/users/{user}/recommendations",
        "status": 200,
        "user": "u1",
        "key": "0123abcd",
        "strategy": "personal",
    }


def test_nothing_of_query_body_path_or_secret_is_written(client, capfd):
    headers = {"Authorization": "Bearer rk_SECRET", "X-API-Key": "rk_SECRET", "Referer": "http://SECRET/"}
    client.post("/v1/users/u/recommendations?q=SECRET", headers=headers, json={"title": "SECRET"})
    client.get("/unknown/SECRET?a=SECRET", headers=headers)
    client.open("/v1/users/u/recommendations", method="SECRET")
    said = capfd.readouterr().err
    assert said.count('"event":"request"') == 3
    assert "SECRET" not in said


def test_the_request_id_is_taken_when_it_is_sane_and_made_when_not(client, capfd):
    path = "/v1/users/u/recommendations"
    taken = client.get(path, headers={"X-Request-ID": "a" * 64})
    assert taken.headers["X-Request-ID"] == "a" * 64 == taken.get_json()["request_id"]
    made = set()
    for sent in ("a" * 65, "two words", 'quo"te', "<b>", "é", "", "a\tb"):
        answer = client.get(path, headers={"X-Request-ID": sent})
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
        made.add(answer.headers["X-Request-ID"])
    made.add(client.get(path).headers["X-Request-ID"])
    assert len(made) == 8
    assert {line["request_id"] for line in lines(capfd)} == made | {"a" * 64}


def test_outside_a_request_there_is_no_id():
    assert observing.request_id() == ""


def test_an_answer_nobody_expected_has_its_line_too(client, capfd):
    assert client.get("/broken", headers={"X-Request-ID": "seen"}).status_code == 500
    (line,) = lines(capfd)
    assert (line["status"], line["level"], line["request_id"]) == (500, "error", "seen")


@pytest.mark.parametrize("format_", ["json", "text"])
@pytest.mark.parametrize("end", list(UNSENT))
def test_a_hostile_path_forges_no_line(format_, end, capfd):
    client = make(format_).test_client()
    client.get(f'/v1/users/u{quote(end)}{{"level":"forged"}}/recommendations')
    client.get(f"/elsewhere{quote(end)}forged")
    said = capfd.readouterr().err
    ours = [line for line in said.splitlines() if "request" in line or "/" in line or "GET" in line]
    assert len(ours) == 2
    assert "forged" not in said


PROGRAM = """
import logging, logging.config, sys
from flask import Flask
from api import logs, observing
logging.config.dictConfig(logs.configuration(sys.argv[1]))
app = Flask("program")
@app.get("/told")
def told():
    logging.getLogger("recsys.test").warning("about %s", "one\\ntwo\\u2028three")
    return {}
@app.get("/broken")
def broken():
    raise ZeroDivisionError
observing.observe(app, logs.request_line(sys.argv[1], str))
client = app.test_client()
client.get("/told", headers={"X-Request-ID": "abc"})
client.get("/broken", headers={"X-Request-ID": "def"})
logging.getLogger("recsys").info("quiet")
logging.getLogger("_granian").warning("Configuration allows spawning up to 16 Python threads, ...")
logging.getLogger("_granian").warning("a worker \\x85 died")
"""


def said_by_a_program(format_):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, format_], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stderr.splitlines()


def test_records_of_all_loggers_are_lines_like_those_of_requests():
    told, request, fault, broken, server = map(json.loads, said_by_a_program("json"))
    assert (told["event"], told["request_id"], told["level"]) == ("about one\ntwo\u2028three", "abc", "warning")
    assert (request["request_id"], broken["request_id"], broken["status"]) == ("abc", "def", 500)
    assert (fault["request_id"], fault["logger"]) == ("def", "program")
    assert "ZeroDivisionError" in fault["exception"]
    assert (server["event"], server["logger"]) == ("a worker \x85 died", "_granian")
    assert "request_id" not in server


def test_as_text_a_record_is_a_line_with_a_traceback_below_it():
    lines = said_by_a_program("text")
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING about one\\ntwo\\u2028three abc", lines[0])
    assert " 200 GET /told " in lines[1]
    assert "ZeroDivisionError" in lines
    assert " 500 GET /broken " in lines[-2]
    assert lines[-1].endswith("a worker \\u0085 died")


def test_text_is_for_a_terminal(capfd):
    make("text").test_client().get("/v1/users/u1/recommendations", headers={"X-Request-ID": "abc"})
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "GET" in line]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d 200 GET /v1/users/\{user\}/recommendations \d+\.\dms user=u1 key=0123abcd strategy=personal"
        r" id=abc",
        line,
    )
    assert logs.wanted("auto") == "json"  # standard error is a file here


def test_an_id_with_spaces_is_no_further_field_of_a_text(capfd):
    make("text").test_client().get("/v1/users/u key=admin/recommendations")
    assert 'user="u key=admin" key=0123abcd' in capfd.readouterr().err


@pytest.mark.parametrize("format_", ["json", "text"])
def test_a_line_names_a_user_as_it_is_told_to(format_, tmp_path, capfd):
    said = {}
    for how in ("pseudonym", "plain", "none"):
        make(format_, naming(how, tmp_path)).test_client().get("/v1/users/somebody/recommendations")
        said[how] = capfd.readouterr().err
    key = (tmp_path / "log.key").read_bytes()
    called = hmac.new(key, b"somebody", "sha256").hexdigest()[:16]
    assert called in said["pseudonym"]
    assert "somebody" not in said["pseudonym"]
    assert "somebody" in said["plain"]
    assert not any(word in said["none"] for word in ("somebody", called, '"user"', "user="))


def test_an_app_names_nobody_in_its_log_whatever_goes_wrong(app, settings, capfd, caplog, monkeypatch):
    client = app.test_client()
    client.get("/v1/users/somebody/recommendations")
    (line,) = lines(capfd)
    assert line["user"] == naming("pseudonym", settings.home)("somebody")

    def broken(*_):
        raise ZeroDivisionError

    def away(*_):
        raise StoreError("the database is away")

    for fault, status in ((broken, 500), (away, 503)):
        monkeypatch.setattr(app.extensions["recsys"].memory, "marks", fault)
        assert client.get("/v1/users/somebody/recommendations").status_code == status
    assert "ZeroDivisionError" in caplog.text
    assert "GET /v1/users/{user}/recommendations: the database is away" in caplog.text
    assert "somebody" not in caplog.text + capfd.readouterr().err


def test_a_closed_standard_error_fails_no_request(client):
    kept = os.dup(2)
    os.close(2)
    try:
        assert client.get("/v1/users/u/recommendations").status_code == 200
    finally:
        os.dup2(kept, 2)
        os.close(kept)
