"""Items and users over HTTP: made, read, hidden, taken out, forgotten."""

import pytest


def ranked(client, user="nobody"):
    return [row["item"] for row in client.get(f"/v1/users/{user}/recommendations?n=50").get_json()["items"]]


def test_an_item_is_made_read_replaced_and_deleted(client):
    path = "/v1/items/new%2Fitem"
    assert client.get(path).status_code == 404
    body = {
        "title": "Ein Titel <b>",
        "categories": ["x", "y"],
        "attributes": {"year": 1999, "nested": {"a": [1, None, "ü"]}},
        "created": "2020-05-06T07:08:09Z",
    }
    assert client.put(path, json=body).status_code == 200
    read = client.get(path).get_json()
    assert read == {"id": "new/item", "hidden": False, **body}
    client.put(path, json={"title": "Other"})
    assert client.get(path).get_json()["categories"] == []
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


@pytest.mark.parametrize("path", ["/v1/items/made", "/v1/users/made"])
def test_the_answer_to_a_put_is_what_is_stored(client, path):
    for body in ({}, {"created": "2020-05-06T07:08:09Z"}, {"attributes": {"b": 1e2, "a": [2.50]}}):
        answer = client.put(path, json=body).get_json()
        assert answer["created"] is not None
        assert answer == client.get(path).get_json()
    assert answer["created"] == "2020-05-06T07:08:09Z"  # the date once given is kept


@pytest.mark.parametrize("kind", ["item", "user"])
def test_the_answer_to_a_put_that_another_undoes_at_once_is_what_was_put(client, app, monkeypatch, kind):
    store, asked = app.extensions["recsys"].store, []
    monkeypatch.setattr(store, kind, asked.append)  # gone by the time that it is read
    answer = client.put(f"/v1/{kind}s/made", json={"attributes": {"a": 1}})
    assert asked == ["made"]
    assert (answer.status_code, answer.get_json()["attributes"]) == (200, {"a": 1})


def test_a_hidden_item_is_gone_from_the_next_answer_and_comes_back(client):
    assert "b0" in ranked(client)
    client.put("/v1/items/b0", json={"title": "b0", "hidden": True})
    assert "b0" not in ranked(client)
    assert "b0" not in [row["item"] for row in client.get("/v1/items/b1/similar").get_json()["items"]]
    assert "b0" not in [row["item"] for row in client.get("/v1/items/popular").get_json()["items"]]
    client.put("/v1/items/b0", json={"title": "b0"})
    assert "b0" in ranked(client)


def test_a_deleted_item_that_the_model_knows_is_not_shown(client):
    assert client.delete("/v1/items/b0").status_code == 204
    assert "b0" not in ranked(client)


def test_a_change_of_category_counts_from_the_next_answer(client):
    path = "/v1/users/u1/recommendations?category=fresh"
    assert client.get(path).get_json()["items"] == []
    client.put("/v1/items/b1", json={"title": "b1", "categories": ["fresh"]})
    assert [row["item"] for row in client.get(path).get_json()["items"]] == ["b1"]


def test_a_batch_of_items_is_stored_whole_or_not_at_all(client):
    good = [{"id": "n1", "title": "One"}, {"id": "n2"}]
    assert client.post("/v1/items:batch", json={"items": good}).get_json()["received"] == 2
    assert client.get("/v1/items/n1").get_json()["title"] == "One"
    answer = client.post("/v1/items:batch", json={"items": [{"id": "n3"}, {"id": "n4", "title": 7}]})
    assert answer.status_code == 422
    assert answer.get_json(force=True)["errors"][0]["pointer"] == "#/items/1/title"
    assert client.get("/v1/items/n3").status_code == 404
    twice = client.post("/v1/items:batch", json={"items": [{"id": "n3"}, {"id": "n3"}]})
    assert twice.get_json(force=True)["errors"][0]["pointer"] == "#/items/1/id"


def test_a_user_is_made_read_and_forgotten_with_all_they_did(client, app, monkeypatch):
    assert client.put("/v1/users/u9", json={"attributes": {"plan": "free"}}).status_code == 200
    assert client.get("/v1/users/u9").get_json()["attributes"] == {"plan": "free"}
    client.post("/v1/feedback", json={"events": [{"user": "u9", "item": "a1", "event": "like"}]})
    assert client.get("/v1/users/u9/recommendations").get_json()["strategy"] == "personal"
    memory, forgotten = app.extensions["recsys"].memory, []
    forget = memory.forget
    monkeypatch.setattr(memory, "forget", lambda user: (forgotten.append(user), forget(user)))
    assert client.delete("/v1/users/u9").status_code == 204
    assert forgotten == ["u9"]
    assert client.get("/v1/users/u9").status_code == 404
    assert client.get("/v1/users/u9/history").status_code == 404
    assert client.delete("/v1/users/u9").status_code == 404
    assert client.get("/v1/users/u9/recommendations").get_json()["strategy"] == "popular"


def test_a_history_comes_newest_first_in_pages_with_titles(client):
    body = client.get("/v1/users/u1/history").get_json()
    assert [event["item"] for event in body["events"]] == ["b3", "a1"]
    assert body["events"][0]["title"] == "Title of b3"
    assert body["total"] == 2
    page = client.get("/v1/users/u1/history?n=1&offset=1").get_json()
    assert [event["item"] for event in page["events"]] == ["a1"]
