"""POST /v1/feedback: stored or refused as a whole, known to the next answer, harmless to repeat."""

import threading
import time
from collections import Counter

import numpy as np
import pytest

from api.app import create_app
from api.keys import new_key


def post(client, *events, **headers):
    return client.post("/v1/feedback", json={"events": list(events)}, headers=headers)


def recommended(client, user, **query):
    answer = client.get(f"/v1/users/{user}/recommendations", query_string=query).get_json()
    return answer["strategy"], [row["item"] for row in answer["items"]]


def test_the_next_answer_knows_what_was_posted(client):
    assert recommended(client, "new", n=1)[0] == "popular"
    answer = post(client, {"user": "new", "item": "a1", "event": "rating", "value": 5, "time": "2026-01-02T03:04:05Z"})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "received": 1,
        "added": 1,
        "repeated": 0,
        "new_users": 1,
        "new_items": 0,
        "unruled": {},
    }
    assert recommended(client, "new", n=2) == ("personal", ["a0", "a2"])
    post(client, {"user": "new", "item": "a0", "event": "dislike"})
    assert "a0" not in recommended(client, "new", n=8, include_seen=True)[1]


def test_an_event_is_kept_as_it_came(client, app):
    post(client, {"user": "new", "item": "x/1", "event": "watch", "value": 12.5, "time": "2026-01-02T04:04:05+01:00"})
    history = app.extensions["recsys"].store.history("new")
    assert history.item.decode().tolist() == ["x/1"]
    assert history.event.decode().tolist() == ["watch"]
    assert history.value.tolist() == [12.5]
    assert history.time.tolist() == [np.datetime64("2026-01-02T03:04:05", "us").astype(int)]
    shown = client.get("/v1/users/new/history").get_json()
    assert shown["events"] == [
        {"item": "x/1", "title": None, "event": "watch", "value": 12.5, "time": "2026-01-02T03:04:05Z"}
    ]


def test_an_event_id_sent_twice_counts_once(client):
    event = {"user": "new", "item": "a1", "event": "click", "id": "e-1"}
    assert post(client, event).get_json()["added"] == 1
    again = post(client, event).get_json()
    assert (again["added"], again["repeated"]) == (0, 1)


def test_a_request_repeated_under_its_key_has_one_effect_and_one_answer(client):
    event = {"user": "new", "item": "a1", "event": "click"}  # no id and no time: only the key tells it is a repeat
    headers = {"Idempotency-Key": "k-1"}
    first = client.post("/v1/feedback", json={"events": [event]}, headers=headers)
    second = client.post("/v1/feedback", json={"events": [event]}, headers=headers)
    assert first.get_json() == second.get_json()
    assert client.get("/v1/users/new/history").get_json()["total"] == 1
    other = client.post("/v1/feedback", json={"events": [{**event, "item": "a2"}]}, headers=headers)
    assert other.status_code == 422
    assert other.get_json(force=True)["type"] == "urn:recsys:problem:idempotency-key-reused"
    assert client.get("/v1/users/new/history").get_json()["total"] == 1


def test_an_answer_that_is_replayed_says_so(client):
    body = {"events": [{"user": "new", "item": "a1", "event": "wtch", "value": 2}]}
    headers = {"Idempotency-Key": "k-1"}
    first, second = (client.post("/v1/feedback", json=body, headers=headers) for _ in range(2))
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.get_json() == first.get_json()
    assert first.get_json()["unruled"]


def test_two_customers_may_use_the_same_idempotency_key(settings, registry):
    app = create_app(settings.model_copy(update={"host": "0.0.0.0"}))
    store = app.extensions["recsys"].store
    client, answers = app.test_client(), []
    for name in ("first", "second"):
        text, record = new_key(name, ["feedback"])
        store.put_key(record)
        headers = {"Idempotency-Key": "order-1", "Authorization": f"Bearer {text}"}
        body = {"events": [{"user": name, "item": "a1", "event": "click"}]}
        answers += [client.post("/v1/feedback", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert ["Idempotency-Replayed" in answer.headers for answer in answers] == [False, True, False, True]
    assert [len(store.history(name)) for name in ("first", "second")] == [1, 1]
    store.close()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb", "a\x80b", "tab\there"])
def test_an_idempotency_key_that_cannot_be_kept_is_named(client, key):
    answer = post(client, {"user": "new", "item": "a1", "event": "click"}, **{"Idempotency-Key": key})
    assert answer.status_code == 422
    problem = answer.get_json(force=True)
    assert "Idempotency-Key" in problem["detail"]
    assert problem["errors"][0]["header"] == "Idempotency-Key"
    assert client.get("/v1/users/new/history").status_code == 404


def test_a_refused_body_leaves_its_idempotency_key_free(client):
    headers = {"Idempotency-Key": "k-1"}
    event = {"user": "new", "item": "a1", "event": "click"}
    assert post(client, {**event, "value": "5"}, **headers).status_code == 422
    assert post(client, event, **headers).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("clients", "keys"), [(16, 20), pytest.param(64, 200, marks=pytest.mark.slow)])
def test_many_clients_sending_the_same_keys_have_one_effect_each(seeded_home, engine, clients, keys):
    """All clients send the same requests, in orders of their own, and try again what was in flight."""
    app = seeded_home(engine).application
    store = app.extensions["recsys"].store
    before = store.stats().interactions
    effects, statuses, lock = Counter(), Counter(), threading.Lock()
    start = threading.Barrier(clients)

    def send(number):
        client, order = app.test_client(), np.random.default_rng(number).permutation(keys).tolist()
        start.wait()
        while order:
            at = order.pop()
            body = {"events": [{"user": f"one of {clients}", "item": f"i{at}", "event": "click"}]}
            answer = client.post("/v1/feedback", json=body, headers={"Idempotency-Key": f"{clients}-{at}"})
            with lock:
                statuses[answer.status_code] += 1
                effects[at] += answer.status_code == 200 and "Idempotency-Replayed" not in answer.headers
            if answer.status_code != 200:
                assert answer.headers["Retry-After"]
                order.insert(0, at)
                time.sleep(0.02)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses[200] == clients * keys, statuses
    assert set(statuses) <= {200, 409, 503}
    assert effects == dict.fromkeys(range(keys), 1)
    assert store.stats().interactions - before == keys
    assert len(store.history(f"one of {clients}")) == keys


def test_one_bad_event_refuses_all_and_every_bad_one_is_named(client):
    events = [{"user": "new", "item": "a1", "event": "click"} for _ in range(10)]
    events[3] = {"user": 5, "item": "a1", "event": "click"}
    events[7] = {"user": "new", "event": "click", "colour": "red"}
    answer = post(client, *events)
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.get_json(force=True)["errors"]}
    assert pointers == {"#/events/3/user", "#/events/7/item", "#/events/7/colour"}
    assert client.get("/v1/users/new/history").status_code == 404


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_between_one_and_a_thousand_events(client, count):
    answer = post(client, *[{"user": "new", "item": "a1", "event": "click"}] * count)
    assert answer.status_code == 422
    assert ("1000" if count else "1") in answer.get_json(force=True)["detail"]


def test_a_thousand_events_are_taken(client):
    answer = post(client, *[{"user": "new", "item": f"i{n}", "event": "click"} for n in range(1000)])
    assert answer.get_json()["added"] == 1000


def test_an_event_type_without_a_rule_is_kept_and_named(client):
    answer = post(client, {"user": "new", "item": "a1", "event": "raitng", "value": 5}).get_json()
    assert answer["unruled"] == {"raitng": 1}
    assert answer["added"] == 1


def test_a_time_in_the_future_is_refused(client):
    answer = post(client, {"user": "new", "item": "a1", "event": "click", "time": "2190-01-01T00:00:00Z"})
    assert answer.status_code == 422
    assert "future" in answer.get_json(force=True)["detail"]
