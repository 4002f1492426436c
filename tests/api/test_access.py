"""Who may call what: every route has a policy, and only this machine is let in."""

import pytest

from api.app import create_app
from api.auth import Policy, is_loopback, policy_of, protect, require_safe_host
from recsys.errors import SettingError

EXPECTED = {
    "GET /": Policy.READ,
    "GET /livez": Policy.PUBLIC,
    "GET /readyz": Policy.PUBLIC,
    "GET /static/<path:filename>": Policy.PUBLIC,
    "GET /v1/users/<id:user>/recommendations": Policy.READ,
    "POST /v1/recommendations": Policy.READ,
    "GET /v1/items/popular": Policy.READ,
    "GET /v1/items/<id:item>/similar": Policy.READ,
    "GET /v1/items/<id:item>": Policy.READ,
    "PUT /v1/items/<id:item>": Policy.ADMIN,
    "DELETE /v1/items/<id:item>": Policy.ADMIN,
    "POST /v1/items:batch": Policy.ADMIN,
    "GET /v1/users/<id:user>/history": Policy.READ,
    "GET /v1/users/<id:user>": Policy.READ,
    "PUT /v1/users/<id:user>": Policy.ADMIN,
    "DELETE /v1/users/<id:user>": Policy.ADMIN,
    "POST /v1/feedback": Policy.FEEDBACK,
    "GET /v1/models": Policy.READ,
    "POST /v1/models/<version>/promote": Policy.ADMIN,
    "POST /v1/models/rollback": Policy.ADMIN,
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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_addresses_are_safe(host):
    require_safe_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org"])
def test_addresses_that_others_can_reach_are_refused(host):
    with pytest.raises(SettingError):
        require_safe_host(host)


def test_an_app_for_another_address_grants_nothing_but_public_routes(settings, registry):
    open_app = create_app(settings.model_copy(update={"host": "0.0.0.0"}))
    client = open_app.test_client()
    for rule in open_app.url_map.iter_rules():
        path = rule.rule.replace("<id:user>", "u1").replace("<id:item>", "a1").replace("<version>", "v")
        if "<" in path:
            continue
        for method in rule.methods - {"OPTIONS"}:
            status = client.open(path, method=method, json={} if method in ("POST", "PUT") else None).status_code
            assert (status == 401) == (policy_of(open_app, rule.endpoint) is not Policy.PUBLIC), (method, path, status)
    open_app.extensions["recsys"].store.close()


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
