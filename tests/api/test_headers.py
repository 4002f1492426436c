"""Headers of every answer, and which pages of other origins may call."""

import pytest
from flask import Flask

from api import auth, errors, headers
from api.auth import Policy, policy
from api.keys import KeyRing, new_key
from recsys.errors import SettingError

SHOP, OTHER = "https://shop.example", "https://other.example:8443"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
SECURE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def guarded(*origins, host="0.0.0.0", keys=None):
    """A small app with one route of two methods."""
    app = Flask("guarded", static_folder=None)

    @app.get("/things")
    @policy(Policy.READ)
    def things():
        return {"things": []}

    @app.post("/things")
    @policy(Policy.FEEDBACK)
    def more():
        return {"received": 1}

    errors.register(app)
    headers.register(app, origins)
    auth.protect(app, host, keys, origins=origins)
    return app.test_client()


def test_every_answer_carries_each_header_once(client):
    for path in ("/v1/users/u1/recommendations", "/", "/livez", "/nowhere", "/v1/users/u1/recommendations?n=x"):
        answer = client.get(path)
        for name, value in SECURE.items():
            assert answer.headers.getlist(name) == [value], (path, name)
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        (security,) = answer.headers.getlist("Content-Security-Policy")
        assert "default-src 'none'" in security
        assert "unsafe" not in security
        assert ("style-src 'self'" in security) == (answer.mimetype == "text/html")
        assert "Vary" not in answer.headers
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    with client.get("/static/page.css") as style:
        assert style.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" not in style.headers.getlist("Cache-Control")


def test_no_origin_may_call_by_default():
    client = guarded()
    for answer in (
        client.options("/things", headers={"Origin": SHOP, **ASKED}),
        client.get("/things", headers={"Origin": SHOP}),
    ):
        assert answer.status_code == 401
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_listed_origin_is_told_what_it_may_send():
    client = guarded(SHOP, OTHER)
    answer = client.options("/things", headers={"Origin": OTHER, **ASKED})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OTHER
    assert {"GET", "POST"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "x-api-key"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.evil",
        "http://shop.example",
        "https://shop.example:444",
        "https://SHOP.example",
        "null",
        "*",
    ],
)
def test_an_origin_that_is_not_listed_gets_no_leave(origin):
    client = guarded(SHOP)
    for answer in (
        client.options("/things", headers={"Origin": origin, **ASKED}),
        client.get("/things", headers={"Origin": origin}),
    ):
        assert answer.status_code == 401
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"], "a cache must not hand this answer to the other origin"


def test_a_listed_origin_still_needs_a_key():
    text, record = new_key("shop", ["read"])
    client = guarded(SHOP, keys=KeyRing(lambda: [record], lambda: 1))
    refused = client.get("/things", headers={"Origin": SHOP})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == SHOP, "the page may read why"
    with_key = {"Origin": SHOP, "Authorization": f"Bearer {text}"}
    assert client.get("/things", headers=with_key).status_code == 200
    assert client.post("/things", headers=with_key).status_code == 403
    assert client.options("/things", headers={"Origin": SHOP}).status_code == 401, "no preflight, so like any other"


def test_on_loopback_a_listed_origin_may_send_and_no_other():
    client = guarded(SHOP, host="127.0.0.1")
    assert client.post("/things", headers={"Origin": SHOP}).status_code == 200
    assert client.post("/things", headers={"Origin": OTHER}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.example", "shop.example", "https://shop.example/", "ftp://shop.example", "null", "", "https://"],
)
def test_an_origin_that_is_not_exact_stops_the_app(origin):
    with pytest.raises(SettingError, match="origin") as caught:
        guarded(origin)
    assert "cors_origins" in caught.value.where


def test_the_setting_reaches_the_app(settings, registry):
    from api.app import create_app

    app = create_app(settings.model_copy(update={"cors_origins": (SHOP,)}))
    answer = app.test_client().options("/v1/feedback", headers={"Origin": SHOP, **ASKED})
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    app.extensions["recsys"].store.close()
