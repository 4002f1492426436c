"""Model versions over HTTP, and what the health routes say when something is wrong."""

import sqlite3
import threading

import pytest

import migrations
from api.app import create_app
from recsys.errors import StoreError


def version(client):
    return client.get("/v1/users/u1/recommendations").get_json()["model"]["version"]


def test_versions_are_listed_promoted_and_rolled_back(client, registry, make_bundle):
    (first,) = registry.live().models.values()
    (second,) = registry.add([make_bundle(2.0)])
    listed = client.get("/v1/models").get_json()
    assert [row["version"] for row in listed["versions"]] == [second, first]
    assert listed["live"]["models"] == {"als": first}
    assert client.post(f"/v1/models/{second}/promote").get_json()["live"]["models"] == {"als": second}
    assert version(client) == second
    assert client.post("/v1/models/rollback").get_json()["live"]["models"] == {"als": first}
    assert version(client) == first
    assert client.post("/v1/models/rollback").status_code == 404


def test_a_hold_a_mark_and_a_decision_are_told(client, registry, make_bundle):
    (first,) = registry.live().models.values()
    assert client.get("/v1/models").get_json()["hold"] is None
    (second,) = registry.publish([make_bundle(2.0)])
    registry.write_verdict(second, {"decision": "promote"})
    assert client.post("/v1/models/rollback").status_code == 200
    registry.mark_forgotten("u1", "2026-03-01T02:00:00Z")
    listed = client.get("/v1/models").get_json()
    assert listed["hold"]["versions"] == [second]
    rows = {row["version"]: row for row in listed["versions"]}
    assert [(rows[v]["live"], rows[v]["previous"], rows[v]["decision"]) for v in (first, second)] == [
        (True, False, None),
        (False, False, "promote"),
    ]
    assert {row["marked"] for row in listed["versions"]} == {"2026-03-01T02:00:00Z"}


@pytest.mark.parametrize("how", ["promote", "rollback"])
def test_what_may_have_learnt_from_somebody_forgotten_is_refused_in_words(client, registry, make_bundle, how):
    (first,) = registry.live().models.values()
    (second,) = registry.publish([make_bundle(2.0)])
    registry.mark_forgotten("u1", "2026-03-01T02:00:00Z")
    (free,) = registry.add([make_bundle(3.0)])
    answer = client.post("/v1/models/rollback" if how == "rollback" else f"/v1/models/{first}/promote")
    assert answer.status_code == 409
    problem = answer.get_json(force=True)
    assert problem["type"].endswith(":forgotten")
    assert first in problem["detail"]
    assert free in problem["do"]
    assert str(registry.folder) not in answer.get_data(as_text=True)
    assert version(client) == second
    held = client.get("/v1/models").get_json()["hold"]
    assert (held is not None) == (how == "rollback")  # whoever wanted to go back wants no night to promote either
    assert client.post(f"/v1/models/{free}/promote").status_code == 200


def test_promoting_lifts_the_hold(client, registry, make_bundle):
    (second,) = registry.publish([make_bundle(2.0)])
    client.post("/v1/models/rollback")
    assert registry.hold() is not None
    assert client.post(f"/v1/models/{second}/promote").status_code == 200
    assert client.get("/v1/models").get_json()["hold"] is None


def test_a_damaged_version_is_not_promoted(client, registry, make_bundle):
    before = version(client)
    (candidate,) = registry.add([make_bundle(2.0)])
    path = registry.folder / "versions" / candidate / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    answer = client.post(f"/v1/models/{candidate}/promote")
    assert answer.status_code == 409
    assert str(registry.folder) not in answer.get_data(as_text=True)
    assert version(client) == before


def test_a_version_that_is_not_there_is_not_promoted(client):
    for name in ("nonsense", "..", "20260101T000000000000Z-als-0123456789ab"):
        assert client.post(f"/v1/models/{name}/promote").status_code == 404


def test_ready_names_the_live_versions(client, registry):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["status"] == "ready"
    assert body["models"]["als"]["version"] == registry.live().models["als"]
    assert body["models"]["als"]["age_seconds"] < 60
    assert body["stale"] is False
    assert body["database"].pop("latency_ms") >= 0
    assert body["database"] == {"status": "ok", "schema": migrations.head()}
    assert client.get("/livez").status_code == 200


def test_without_a_model_it_is_alive_but_not_ready(empty_app):
    client = empty_app.test_client()
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["status"] == "unready"
    assert "published" in answer.get_json()["fault"]


def test_a_damaged_release_shows_as_degraded_while_the_old_one_serves(client, registry, make_bundle):
    before = version(client)
    (after,) = registry.publish([make_bundle(2.0)])
    (registry.folder / "versions" / after / "card.json").write_text("{}")
    assert version(client) == before
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "degraded"
    assert "refused" in answer.get_json()["fault"]


@pytest.fixture
def lose(app, settings):
    """lose(): nothing can be opened where the database was."""

    def lose():
        app.extensions["recsys"].store.close()
        for path in settings.home.glob("recsys.db*"):
            path.unlink()
        (settings.home / "recsys.db").mkdir()

    return lose


def test_without_its_database_it_answers_from_memory_and_says_so(client, lose):
    before = client.get("/v1/users/u1/recommendations?n=3").get_json()
    assert before["stale"] is False
    lose()
    for _ in range(3):
        after = client.get("/v1/users/u1/recommendations?n=3")
        assert after.status_code == 200
        body = after.get_json()
        assert (body["stale"], body["strategy"]) == (True, before["strategy"])
        assert [row["item"] for row in body["items"]] == [row["item"] for row in before["items"]]
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert (ready.get_json()["status"], ready.get_json()["stale"]) == ("degraded", True)
    assert ready.get_json()["database"] == {"status": "unavailable", "fault": "StoreError"}
    assert "recsys_database_up 0.0" in client.get("/metrics").get_data(as_text=True)


@pytest.mark.parametrize("watched", [False, True])
def test_readiness_tells_of_a_database_that_is_back_though_nobody_asked_for_anything(client, app, monkeypatch, watched):
    """What failed is a history; with a wal-index no marks are asked for again while nothing is committed."""
    here = app.extensions["recsys"]
    if watched:
        here.memory.watch()
    client.get("/v1/users/u9/recommendations")
    read, away = here.store.history, []

    def failing(user):
        away.append(user)
        raise StoreError("away")

    monkeypatch.setattr(here.store, "history", failing)
    assert client.get("/v1/users/u1/recommendations").get_json()["stale"] is True
    assert away == ["u1"]
    assert here.memory.away
    monkeypatch.setattr(here.store, "history", read)
    ready = client.get("/readyz").get_json()
    assert (ready["status"], ready["stale"]) == ("ready", False)
    assert client.get("/v1/users/u1/recommendations").get_json()["stale"] is False


def test_readiness_does_not_answer_for_the_database_from_memory(client, app, monkeypatch):
    here, asked = app.extensions["recsys"], []
    here.memory.watch()
    client.get("/v1/items/popular")
    marks = here.store.marks
    monkeypatch.setattr(here.store, "marks", lambda user=None: asked.append(user) or marks(user))
    client.get("/v1/items/popular")
    assert asked == [], "nothing was committed"
    assert client.get("/readyz").get_json()["status"] == "ready"
    assert asked == [None]


@pytest.mark.parametrize("asked", ["/readyz", "/v1/items/popular", "/v1/users/nobody/recommendations"])
def test_somebody_forgotten_by_one_worker_does_not_come_back_in_another_without_a_database(
    client, settings, lose, asked
):
    other_app = create_app(settings)
    other = other_app.test_client()
    for _ in range(2):
        assert other.get("/v1/users/u1/recommendations").get_json()["strategy"] == "personal"
    assert client.delete("/v1/users/u1").status_code == 204
    assert other.get(asked).status_code == 200  # not a word about them
    other_app.extensions["recsys"].store.close()
    lose()
    after = other.get("/v1/users/u1/recommendations").get_json()
    assert (after["stale"], after["strategy"]) == (True, "popular")


def test_a_database_that_was_never_read_is_a_clean_503_and_not_ready(client, lose, settings):
    lose()
    for answer in (
        client.get("/v1/users/u1/recommendations"),
        client.post("/v1/feedback", json={"events": [{"user": "u", "item": "a1", "event": "like"}]}),
        client.get("/v1/items/a1"),
    ):
        assert answer.status_code == 503, answer.get_data(as_text=True)
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["Retry-After"]
        assert str(settings.home) not in answer.get_data(as_text=True)
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.get_json()["status"] == "unready"
    page = client.get("/?user=u1")
    assert page.status_code == 503
    assert "text/html" in page.content_type


def test_a_database_of_another_version_is_not_ready(client, app, settings):
    client.get("/v1/users/u1/recommendations")
    with sqlite3.connect(settings.home / "recsys.db") as other:
        other.execute("alter table changes rename to elsewhere")
    other.close()
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.get_json()["database"]["fault"] == "SchemaMismatch"


def test_a_frozen_database_holds_readiness_up_for_less_than_a_second_or_so(client, app, monkeypatch):
    client.get("/v1/users/u1/recommendations")
    thaw, store = threading.Event(), app.extensions["recsys"].store

    def frozen(user=None):
        thaw.wait(30)
        raise StoreError("it never answered")

    monkeypatch.setattr(store, "marks", frozen)
    try:
        ready = client.get("/readyz")
        assert not thaw.is_set()
        assert ready.status_code == 200
        assert ready.get_json()["database"]["fault"] == "Timeout"
    finally:
        thaw.set()


def test_a_locked_database_refuses_feedback_in_words_while_recommendations_go_on(client, settings):
    event = {"user": "u9", "item": "a1", "event": "like"}
    other = sqlite3.connect(settings.home / "recsys.db", isolation_level=None)
    other.execute("begin immediate")
    try:
        answer = client.post("/v1/feedback", json={"events": [event]})
        assert answer.status_code == 503
        assert "locked" in answer.get_json(force=True)["detail"]
        assert answer.headers["Retry-After"]
        assert client.get("/v1/users/u1/recommendations").status_code == 200
    finally:
        other.rollback()
        other.close()
    assert client.post("/v1/feedback", json={"events": [event]}).get_json()["added"] == 1
