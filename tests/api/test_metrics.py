"""What is counted, and that the counts of several worker processes add up."""

import json
import os
import subprocess
import sys

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from api import metrics, observing
from tests.conftest import ROOT

MODELS = {"als": {"version": "v1", "age_seconds": 12}}

WORKER = """
import json, sys
from flask import Flask
from api import metrics, observing
app = Flask("worker")
@app.get("/v1/users/<user>/recommendations")
def answer(user):
    metrics.answered("als", "personal", cached=user == "kept")
    metrics.folded_in(0.002)
    metrics.fed(3, 2)
    return {}
observing.observe(app, metrics.requested)
client = app.test_client()
for _ in range(int(sys.argv[1])):
    assert client.get("/v1/users/u/recommendations?n=5").status_code == 200
client.get("/v1/users/kept/recommendations")
client.get("/nothing/of/the/kind")
print(json.dumps(metrics.exposition({"als": {"version": "v1", "age_seconds": 12}}, True).decode()), flush=True)
sys.stdin.read()
"""


def parsed(text):
    """{(sample, its label values, sorted): value}"""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def app():
    app = Flask("counted")

    @app.route("/v1/items/<path:item>", methods=["GET", "PUT", "BREW"])
    def item(item):
        metrics.answered("als", "similar")
        return {}, {"refused": 403, "often": 429, "broken": 500}.get(item, 200)

    observing.observe(app, metrics.requested)
    return app


def now():
    return parsed(metrics.exposition(MODELS, True).decode())


def grown(before, name, *labels):
    key = (name, *sorted(labels))
    return now().get(key, 0) - before.get(key, 0)


def test_requests_are_counted_by_route_method_and_class_of_status_and_never_by_path(app):
    before, client = now(), app.test_client()
    for item in ("a", "b", "c/d", "refused", "often", "broken"):
        client.get(f"/v1/items/{item}")
    client.put("/v1/items/a")
    client.open("/v1/items/a", method="BREW")
    client.get("/elsewhere/secret")
    count = "recsys_request_seconds_count"
    assert grown(before, count, "/v1/items/{item}", "GET", "2xx") == 3
    assert grown(before, count, "/v1/items/{item}", "GET", "4xx") == 2
    assert grown(before, count, "/v1/items/{item}", "GET", "5xx") == 1
    assert grown(before, count, "/v1/items/{item}", "PUT", "2xx") == 1
    assert grown(before, count, "/v1/items/{item}", "other", "2xx") == 1
    assert grown(before, count, "", "GET", "4xx") == 1
    assert grown(before, "recsys_refused_requests_total", "not granted") == 1
    assert grown(before, "recsys_refused_requests_total", "rate limit") == 1
    assert "secret" not in metrics.exposition(MODELS, True).decode()


def test_answers_are_counted_by_how_they_were_made(app):
    before, client = now(), app.test_client()
    client.get("/v1/items/a")
    metrics.folded_in(0.003)
    metrics.fed(5, 4)
    assert grown(before, "recsys_answer_seconds_count", "similar", "als") == 1
    assert grown(before, "recsys_answer_cache_total", "hit") == 0  # it was not looked for
    assert grown(before, "recsys_fold_in_seconds_count") == 1
    assert grown(before, "recsys_fold_in_seconds_sum") == pytest.approx(0.003)
    assert grown(before, "recsys_feedback_events_total", "received") == 5
    assert grown(before, "recsys_feedback_events_total", "added") == 4


def test_what_is_live_now_is_told_by_who_is_asked():
    found = parsed(metrics.exposition(MODELS, False).decode())
    assert found["recsys_model_info", "als", "v1"] == 1
    assert found["recsys_model_age_seconds", "als"] == 12
    assert found["recsys_database_up",] == 0
    other = parsed(metrics.exposition({"als": {"version": "v2", "age_seconds": 0}}, True).decode())
    assert ("recsys_model_info", "als", "v1") not in other


def test_counts_of_worker_processes_add_up_also_those_of_one_that_was_killed(tmp_path):
    environment = {**os.environ, metrics.FOLDER: str(tmp_path), "PYTHONPATH": str(ROOT)}
    count = ("recsys_request_seconds_count", "/v1/users/{user}/recommendations", "2xx", "GET")
    workers, told = [], []
    try:
        for requests in (3, 5, 7):
            worker = subprocess.Popen(
                [sys.executable, "-c", WORKER, str(requests)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            workers.append(worker)
            told.append(parsed(json.loads(worker.stdout.readline())))
            if requests == 5:
                worker.kill()
                worker.wait()
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert len({worker.pid for worker in workers}) == 3
    assert [found[count] for found in told] == [4, 10, 18]
    last = told[-1]
    assert last["recsys_answer_cache_total", "hit"] == 3
    assert last["recsys_answer_cache_total", "miss"] == 15
    assert last["recsys_answer_seconds_count", "als", "personal"] == 18
    assert last["recsys_feedback_events_total", "received"] == 54
    assert last["recsys_request_seconds_count", "", "4xx", "GET"] == 3
    assert last["recsys_model_info", "als", "v1"] == 1
