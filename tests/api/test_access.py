"""Who may call what: every route has a policy, and a key is asked for unless the caller is on this machine."""

from dataclasses import replace

import pytest
from flask import Flask

from api import rates
from api.app import create_app
from api.auth import Policy, is_loopback, policy, policy_of, protect, require_safe_host
from api.keys import KeyRing, new_key
from api.rates import STRANGER_BURST
from recsys.errors import SettingError

EXPECTED = {
    "GET /": Policy.READ,
    "GET /docs": Policy.PUBLIC,
    "GET /livez": Policy.PUBLIC,
    "GET /metrics": Policy.READ,
    "GET /openapi.json": Policy.PUBLIC,
    "GET /readyz": Policy.PUBLIC,
    "GET /static/<path:filename>": Policy.PUBLIC,
    "GET /v1/users/<id:user>/recommendations": Policy.READ,
    "POST /v1/recommendations": Policy.READ,
    "POST /v1/recommendations:batch": Policy.READ,
    "GET /v1/items": Policy.READ,
    "GET /v1/items/popular": Policy.READ,
    "GET /v1/items/trending": Policy.READ,
    "GET /v1/items/<id:item>/similar": Policy.READ,
    "GET /v1/items/<id:item>": Policy.READ,
    "PUT /v1/items/<id:item>": Policy.ADMIN,
    "DELETE /v1/items/<id:item>": Policy.ADMIN,
    "POST /v1/items:batch": Policy.ADMIN,
    "GET /v1/users/<id:user>/history": Policy.READ,
    "GET /v1/users/<id:user>/similar": Policy.READ,
    "GET /v1/users/<id:user>": Policy.READ,
    "PUT /v1/users/<id:user>": Policy.ADMIN,
    "DELETE /v1/users/<id:user>": Policy.ADMIN,
    "POST /v1/users:batch": Policy.ADMIN,
    "POST /v1/feedback": Policy.FEEDBACK,
    "GET /v1/models": Policy.READ,
    "POST /v1/models/<version>/promote": Policy.ADMIN,
    "POST /v1/models/rollback": Policy.ADMIN,
    "GET /v1/reports": Policy.READ,
    "GET /v1/reports/<report>": Policy.READ,
    "GET /v1/receipts/<receipt>": Policy.ADMIN,
}


def test_every_route_declares_exactly_the_policy_written_here(app):
    found = {
        f"{method} {rule.rule}": policy_of(app, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert found == EXPECTED


def test_a_route_without_a_policy_stops_the_app(empty_app):
    empty_app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    with pytest.raises(SettingError, match="forgotten"):
        protect(empty_app, "127.0.0.1")


@pytest.fixture
def key_app(settings, registry):
    """create an app for these settings, with keys asked for: (its client, its store)."""
    opened = []

    def make(**changes):
        app = create_app(settings.model_copy(update={"host": "0.0.0.0", **changes}))
        opened.append(app.extensions["recsys"].store)
        return app.test_client(), opened[-1]

    yield make
    for store in opened:
        store.close()


def put(store, *scopes):
    """A new key's header, and its id."""
    text, record = new_key("test", scopes)
    store.put_key(record)
    return {"Authorization": f"Bearer {text}"}, record.id


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_addresses_need_no_key(host):
    require_safe_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org"])
def test_addresses_that_others_can_reach_need_a_key_that_grants_something(host):
    _, record = new_key("test", ["read"])
    useless = [replace(record, revoked=1), replace(record, scopes=())]
    for keys in ([], useless):
        with pytest.raises(SettingError) as caught:
            require_safe_host(host, keys)
        assert "recsys keys create" in caught.value.do
    require_safe_host(host, [*useless, record])


def test_debug_mode_is_refused_everywhere(monkeypatch, empty_app):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(SettingError, match="debug"):
        require_safe_host("127.0.0.1")
    monkeypatch.delenv("FLASK_DEBUG")
    empty_app.debug = True
    with pytest.raises(SettingError, match="debug"):
        protect(empty_app, "127.0.0.1")


def test_an_app_without_keys_grants_nothing_but_public_routes(key_app):
    client, _ = key_app()
    answer = client.get("/v1/models")
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert "'read'" in answer.get_json(force=True)["detail"]
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="recsys"'
    assert client.get("/livez").status_code == 200
    assert client.get("/livez", headers={"Authorization": "Bearer nonsense"}).status_code == 200


def test_a_key_is_looked_for_where_it_may_be_sent_and_nowhere_else(key_app):
    client, store = key_app()
    headers, _ = put(store, "read")
    text = headers["Authorization"].split()[1]
    for sent in (
        {"Authorization": f"Bearer {text}"},
        {"Authorization": f"bearer   {text}"},
        {"X-API-Key": text},
        {"X-API-Key": text, "Authorization": "Basic dXNlcjpwYXNz"},
    ):
        assert client.get("/v1/models", headers=sent).status_code == 200, sent
    for sent in (
        {"Authorization": text},
        {"Authorization": f"Basic {text}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {text} {text}"},
        {"Authorization": "Bearer nonsense", "X-API-Key": text},
        {"X-API-Key": ""},
        {"X-API-Key": f"Bearer {text}"},
        {"Cookie": f"key={text}"},
    ):
        assert client.get("/v1/models", headers=sent).status_code == 401, sent
    assert client.get(f"/v1/models?api_key={text}&key={text}").status_code == 401


def test_a_missing_scope_is_named(key_app):
    client, store = key_app()
    headers, _ = put(store, "read", "feedback")
    answer = client.put("/v1/items/a1", json={}, headers=headers)
    assert answer.status_code == 403
    assert "'admin'" in answer.get_json(force=True)["detail"]
    assert answer.get_json(force=True)["scope"] == "admin"


def test_no_answer_and_no_log_line_shows_a_key(key_app, caplog):
    client, store = key_app()
    headers, id_ = put(store, "read")
    wrong = {"Authorization": f"Bearer rk_{id_}_{'s3cret' * 7}x"}
    with caplog.at_level("DEBUG"):
        answers = [client.get("/v1/models", headers=sent) for sent in (headers, wrong)]
        answers += [client.post("/v1/feedback", headers=headers), client.get("/v1/items/no", headers=headers)]
    said = caplog.text + "".join(answer.get_data(as_text=True) + str(answer.headers) for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 401, 403, 404]
    assert headers["Authorization"].split("_")[2] not in said
    assert "s3cret" not in said


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_new_key_and_a_revocation_count_at_once_in_every_worker(engine, key_app, seeded_home):
    url = seeded_home(engine).application.extensions["recsys"].settings.url
    workers = [key_app(database_url=url) for _ in range(2)]
    for _ in range(20):
        headers, id_ = put(workers[0][1], "read")
        assert [client.get("/v1/models", headers=headers).status_code for client, _ in workers] == [200, 200]
        assert workers[1][1].revoke_key(id_)
        assert [client.get("/v1/models", headers=headers).status_code for client, _ in workers] == [401, 401]


def test_on_loopback_a_key_that_is_sent_holds(app):
    client, store = app.test_client(), app.extensions["recsys"].store
    assert client.put("/v1/items/a1", json={"title": "a1"}).status_code == 200
    headers, id_ = put(store, "read")
    assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.put("/v1/items/a1", json={}, headers=headers).status_code == 403
    store.revoke_key(id_)
    assert client.get("/v1/models", headers=headers).status_code == 401
    assert client.get("/v1/models", headers={"Authorization": "Basic dXNlcjpwYXNz"}).status_code == 200


def test_more_than_the_limit_is_refused_with_the_limit(key_app):
    client, store = key_app(rate_limit=0.01, rate_burst=3)
    (first, _), (second, _) = put(store, "read"), put(store, "read")
    answers = [client.get("/v1/models", headers=first) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert refused.mimetype == "application/problem+json"
    assert refused.get_json(force=True)["limit"] == {"requests_a_second": 0.01, "burst": 3}
    assert 90 <= int(refused.headers["Retry-After"]) <= 100
    assert client.get("/v1/models", headers=second).status_code == 200
    assert client.get("/livez", headers=first).status_code == 200
    assert client.post("/v1/feedback", json={}, headers=first).status_code == 429


def test_a_flood_of_wrong_keys_is_limited_and_holds_up_nobody_with_a_right_one(key_app, monkeypatch):
    monkeypatch.setattr(rates, "STRANGER_RATE", 0.001)  # so slow that nothing flows in while this test runs
    client, store = key_app()
    headers, id_ = put(store, "read")
    wrong = [new_key("guess", ["admin"])[0] for _ in range(STRANGER_BURST)] + ["nonsense", f"rk_{id_}_{'x' * 43}"]
    answers = [client.get("/v1/models", headers={"X-API-Key": text}) for text in wrong]
    assert [answer.status_code for answer in answers] == [401] * STRANGER_BURST + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/v1/models").status_code == 401, "no key is no guess"


def counted(store, monkeypatch):
    """Whose marks are asked of the database from here on."""
    asked, marks = [], store.marks
    monkeypatch.setattr(store, "marks", lambda user=None: asked.append(user) or marks(user))
    return asked


@pytest.mark.parametrize("watched", [False, True])
def test_a_strangers_path_neither_reaches_the_database_nor_stays_in_memory(key_app, monkeypatch, watched):
    client, store = key_app()
    text, record = new_key("test", ["admin"])
    store.put_key(record)
    memory = client.application.extensions["recsys"].memory
    if watched:
        memory.watch()
    assert client.get("/v1/models", headers={"X-API-Key": text}).status_code == 200
    store.revoke_key(record.id)
    assert client.get("/v1/models", headers={"X-API-Key": text}).status_code == 401
    asked = counted(store, monkeypatch)
    for number, sent in enumerate((text, f"rk_{record.id}_{'x' * 43}", new_key("guess", ["admin"])[0], "nonsense", "")):
        for id_ in (f"u{number}", "x" * 20_000 + f"{number}", f"%00{number}"):
            assert client.get(f"/v1/users/{id_}/recommendations", headers={"X-API-Key": sent}).status_code == 401
    assert set(asked) == (set() if watched else {None})
    assert set(memory._kept._held) == ({None} if watched else set())


def test_a_caller_with_a_key_costs_one_question_about_the_user_of_the_path(key_app, monkeypatch, registry, make_bundle):
    registry.publish([make_bundle(1.0)])
    client, store = key_app()
    headers, id_ = put(store, "read")
    path = "/v1/users/u1/recommendations"
    assert client.get(path, headers=headers).status_code == 200
    asked = counted(store, monkeypatch)
    for _ in range(3):
        assert client.get(path, headers=headers).status_code == 200
    assert asked == ["u1"] * 3
    store.revoke_key(id_)
    assert client.get(path, headers=headers).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_path_that_no_store_can_hold_makes_no_answer_stale(
    engine, host, key_app, seeded_home, registry, make_bundle, monkeypatch
):
    registry.publish([make_bundle(1.0)])
    url = seeded_home(engine).application.extensions["recsys"].settings.url
    client, store = key_app(database_url=url, host=host)
    headers, _ = put(store, "admin")
    here = client.application.extensions["recsys"]
    path, asked = "/v1/users/{}/recommendations", counted(store, monkeypatch)
    assert client.get(path.format("u1"), headers=headers).get_json()["stale"] is False
    for sent, statuses in ((headers, {422}), ({"X-API-Key": new_key("guess", ["read"])[0]}, {401})):
        for id_ in ("%00", "a%00b", "x" * 256, "%0a", "%c2%85"):
            for way in (path, "/v1/users/{}/history", "/v1/users/{}"):
                assert client.get(way.format(id_), headers=sent).status_code in statuses, (way, id_)
                assert not here.memory.away
            assert client.get(path.format("u1"), headers=headers).get_json()["stale"] is False
    assert set(asked) == {None, "u1"}


def test_a_caller_of_this_machine_without_a_key_is_not_limited(settings, registry):
    app = create_app(settings.model_copy(update={"rate_limit": 0.01, "rate_burst": 1}))
    assert {app.test_client().get("/v1/models").status_code for _ in range(50)} == {200}
    app.extensions["recsys"].store.close()


def test_keys_are_asked_for_on_loopback_too_where_that_is_wanted():
    app = Flask("proxied", static_folder=None)
    app.add_url_rule("/", "home", policy(Policy.READ)(lambda: "here"))
    text, record = new_key("test", ["read"])
    protect(app, "127.0.0.1", KeyRing(lambda: [record], lambda: 1), always=True)
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"X-API-Key": text, "Host": "shop.example"}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "10.0.0.1"])
def test_a_name_that_somebody_points_at_this_machine_is_refused(client, host):
    answer = client.get("/v1/users/u1/recommendations", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.get_json(force=True)["type"] == "urn:recsys:problem:host-refused"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
def test_names_of_this_machine_are_let_in(client, host):
    assert is_loopback(host)
    assert client.get("/v1/users/u1/recommendations", headers={"Host": host}).status_code == 200


def test_a_page_of_another_origin_cannot_change_anything(client):
    for origin in ("https://evil.example", "null", "http://localhost:9999"):
        headers = {"Origin": origin, "Host": "localhost:8000"}
        for method, path in (("POST", "/v1/models/rollback"), ("DELETE", "/v1/users/u1"), ("PUT", "/v1/items/a1")):
            assert client.open(path, method=method, headers=headers).status_code == 403
    same = {"Origin": "http://localhost:8000", "Host": "localhost:8000"}
    assert client.delete("/v1/users/u1", headers=same).status_code == 204


def test_answers_carry_the_headers_that_browsers_need(client):
    api = client.get("/v1/users/u1/recommendations")
    page = client.get("/")
    with client.get("/static/page.css") as style:
        assert style.headers["X-Content-Type-Options"] == "nosniff"
    for answer in (api, page, client.get("/nowhere")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert api.headers["Cache-Control"] == "no-store"
