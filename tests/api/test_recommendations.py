"""GET and POST recommendations: what is answered, and what is refused with which words."""

from urllib.parse import quote

import pytest


def items(response):
    assert response.status_code == 200, response.get_json()
    return [row["item"] for row in response.get_json()["items"]]


def problem(response, status):
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/problem+json"
    body = response.get_json(force=True)
    assert {"type", "title", "status", "detail", "instance"} <= set(body)
    assert body["status"] == status
    return body


def test_an_answer_has_the_form_of_the_contract(client, registry):
    answer = client.get("/v1/users/u1/recommendations?n=2").get_json()
    assert set(answer) == {"user", "model", "strategy", "stale", "id", "items"}
    assert answer["stale"] is False
    assert answer["user"] == "u1"
    assert answer["model"] == {"name": "als", "version": registry.live().models["als"]}
    assert answer["strategy"] == "personal"
    assert [row["rank"] for row in answer["items"]] == [1, 2]
    assert answer["items"][0] == {
        "item": "a0",
        "score": pytest.approx(3.6 / 5.47),  # by hand: 4 * 0.9 / (1 + .81 + .64 + .49 + .1 + 3 * .81)
        "rank": 1,
        "title": "Title of a0",
        "source": "model",
    }


def test_somebody_unknown_gets_what_is_popular_under_that_name(client):
    response = client.get("/v1/users/nobody/recommendations?n=1")
    assert items(response) == ["b0"]
    assert response.get_json()["strategy"] == "popular"


def test_pages_exclusions_and_categories(client):
    assert items(client.get("/v1/users/u1/recommendations?n=2&offset=1")) == ["a2", "a3"]
    assert "a0" not in items(client.get("/v1/users/u1/recommendations?exclude=a0,a2"))
    assert not {"a0", "a2"} & set(items(client.get("/v1/users/u1/recommendations?exclude=a0&exclude=a2")))
    assert items(client.get("/v1/users/u1/recommendations?category=first")) == ["a0", "a2", "a3"]
    assert items(client.get("/v1/users/u1/recommendations?category=none+such")) == []
    assert "a1" in items(client.get("/v1/users/u1/recommendations?include_seen=true"))
    assert "b3" not in items(client.get("/v1/users/u1/recommendations?include_seen=true"))  # disliked


def test_an_anonymous_history_is_folded_in_and_not_stored(client, app):
    before = app.extensions["recsys"].store.stats()
    response = client.post("/v1/recommendations", json={"history": ["a1"], "n": 2})
    assert items(response) == ["a0", "a2"]
    assert response.get_json()["strategy"] == "personal"
    assert response.get_json()["user"] is None
    full = {"item": "a1", "event": "rating", "value": 5, "time": "2026-01-02T03:04:05Z"}
    assert items(client.post("/v1/recommendations", json={"history": [full], "n": 2})) == ["a0", "a2"]
    assert client.post("/v1/recommendations", json={"history": []}).get_json()["strategy"] == "popular"
    assert app.extensions["recsys"].store.stats() == before


def test_ids_with_slashes_spaces_and_other_scripts_work_in_paths(client):
    for user in ("a/b", "/a", "a//b", "ü ö", "日本", "a?b#c", "a%2Fb", "history"):
        event = {"user": user, "item": "a1", "event": "like"}
        assert client.post("/v1/feedback", json={"events": [event]}).status_code == 200
        path = f"/v1/users/{quote(user, safe='')}/recommendations?n=1"
        answer = client.get(path).get_json()
        assert answer["user"] == user
        assert answer["strategy"] == "personal"


@pytest.mark.parametrize(
    ("query", "parameter", "limit"),
    [
        ("n=0", "n", "1"),
        ("n=501", "n", "500"),
        ("n=abc", "n", ""),
        ("n=1e3", "n", ""),
        ("n=99999999999999999999", "n", "500"),
        ("n=1&n=2", "n", "twice"),
        ("offset=-1", "offset", "0"),
        ("offset=10001", "offset", "10000"),
        ("include_seen=perhaps", "include_seen", ""),
        ("limit=5", "limit", ""),
        ("exclude=" + ",".join(str(number) for number in range(501)), "exclude", "500"),
        ("model=" + "x" * 300, "model", "255"),
        ("category=%00", "category", "control"),
    ],
)
def test_a_wrong_query_is_refused_by_name_and_limit(client, query, parameter, limit):
    body = problem(client.get(f"/v1/users/u1/recommendations?{query}"), 400)
    assert body["errors"][0]["parameter"] == parameter
    assert limit in body["errors"][0]["detail"]


def test_an_unknown_model_is_named_with_those_there_are(client):
    body = problem(client.get("/v1/users/u1/recommendations?model=nonsense"), 404)
    assert "nonsense" in body["detail"]
    assert "als" in body["do"]


def test_before_a_model_is_published_the_answer_says_so(empty_app):
    response = empty_app.test_client().get("/v1/users/u1/recommendations")
    body = problem(response, 503)
    assert "published" in body["detail"]
    assert response.headers["Retry-After"]


def test_similar_and_popular_items(client):
    answer = client.get("/v1/items/a2/similar?n=2").get_json()
    assert [row["item"] for row in answer["items"]] == ["a0", "a1"]
    assert answer["item"] == "a2"
    assert answer["items"][0]["title"] == "Title of a0"
    assert problem(client.get("/v1/items/zebra/similar"), 404)["type"] == "urn:recsys:problem:unknown-id"
    popular = client.get("/v1/items/popular?n=2")
    assert items(popular) == ["b0", "a0"]
    assert popular.get_json()["strategy"] == "popular"
    assert items(client.get("/v1/items/popular?n=1&category=first")) == ["a0"]
