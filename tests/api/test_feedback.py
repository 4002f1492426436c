"""POST /v1/feedback: stored or refused as a whole, known to the next answer, harmless to repeat."""

import numpy as np
import pytest


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
