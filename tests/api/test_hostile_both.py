"""The whole hostile corpus against every route: the same answers and the same valid records on both databases."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import Settings
from data.checks import check_item, check_user
from data.records import check_columns, check_id, used_labels
from data.store import Store
from recsys.interactions import Interactions
from recsys.serving.registry import ModelRegistry
from tests.api.conftest import known_bundle, seed
from tests.api.hostile_bodies import ATTRIBUTES, GOOD_FEEDBACK, NO_FEEDBACK, NOT_JSON
from tests.api.hostile_urls import BAD_PERSONAL, BAD_QUERIES, IDS

Clients = dict[str, FlaskClient]
BODIES = [
    *NOT_JSON.values(),
    *NO_FEEDBACK.values(),
    *GOOD_FEEDBACK.values(),
    *(b'{"attributes": ' + text + b"}" for text in ATTRIBUTES.values()),
    b'{"title": "\xf0\x9f\x98\x80", "attributes": {"a": [1, null, 1e-320, "\xc3\xbc"], "b": {}}}',
    b'{"attributes": {"big": 18446744073709551615}}',
    b'{"attributes": {"big": 9223372036854775807, "float": 1e18, "zero": -0.0}, "created": "1900-01-01"}',
]
LISTS = ("/v1/users/u1/recommendations", "/v1/items/popular", "/v1/items/a1/similar", "/v1/users/u1/history")
MINUTE = 60_000_000
BEFORE = time.time_ns() // 1000 - 10 * MINUTE


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, fresh_postgresql: Callable[[], AbstractContextManager[str]]
) -> Iterator[Clients]:
    """The same new app on each database, and the whole corpus sent to both."""
    with fresh_postgresql() as url:
        clients: Clients = {}
        for name, at in (("sqlite", ""), ("postgresql", url)):
            settings = Settings(home=tmp_path_factory.mktemp(name), database_url=at, default_model="als")
            seed(settings.url)
            ModelRegistry(settings.registry_folder).publish([known_bundle()])
            clients[name] = create_app(settings).test_client()
        yield clients
        for client in clients.values():
            client.application.extensions["recsys"].store.close()


def requests(client: FlaskClient) -> Iterator[tuple[str, str, bytes | None]]:
    """(method, path or path?query, body): every body to every route that reads one, every query string to every list,
    every id into every path."""
    rules = sorted(
        (method, rule.rule)
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods & {"GET", "PUT", "POST", "DELETE"}
        if rule.rule.startswith("/v1/") and "/models/" not in rule.rule
    )
    for method, rule in rules:
        if method in ("PUT", "POST"):
            path = rule.replace("<id:user>", "u1").replace("<id:item>", "a1")
            yield from ((method, path, body) for body in BODIES)
    yield from (("GET", f"{path}?{query}", None) for path in LISTS for query in [*BAD_QUERIES, *BAD_PERSONAL])
    for method, rule in rules:
        for parameter in ("<id:user>", "<id:item>"):
            if parameter in rule:
                body = b"{}" if method in ("PUT", "POST") else None
                yield from ((method, rule.replace(parameter, id_), body) for id_ in IDS)


def send(client: FlaskClient, method: str, path: str, body: bytes | None) -> TestResponse:
    kind = "application/json" if body is not None else None
    route, _, query = path.partition("?") if path.startswith(LISTS) else (path, "", "")
    there = {"PATH_INFO": unquote_to_bytes(route).decode("latin-1"), "QUERY_STRING": query}
    return client.open("/", method=method, data=body, content_type=kind, environ_overrides=there)


def store_of(client: FlaskClient) -> Store:
    return client.application.extensions["recsys"].store


def event_rows(events: Interactions) -> list[tuple]:
    """Events as sortable rows; the time of those that came without one is left out."""
    now = time.time_ns() // 1000
    times = np.where(np.abs(events.time - now) < 10 * MINUTE, -1, events.time)
    values = np.where(np.isnan(events.value), -np.inf, events.value)
    columns = (events.user.decode(), events.item.decode(), events.event.decode(), values, times)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def without_created(records: list) -> list[dict]:
    """Records in the order of their ids, without when those that did not say were made."""
    rows = [{name: getattr(record, name) for name in record.__slots__} for record in records]
    return sorted(({**row, "created": min(row["created"], BEFORE)} for row in rows), key=lambda row: row["id"])


def test_no_request_is_a_500_and_both_databases_answer_and_hold_the_same(both):
    statuses = {}
    for name, client in both.items():
        statuses[name] = {}
        for method, path, body in requests(client):
            answer = send(client, method, path, body)
            assert answer.status_code < 500, (name, method, path[:200], (body or b"")[:200])
            if answer.status_code >= 400:
                assert answer.mimetype == "application/problem+json", (method, path[:200])
            statuses[name][method, path, body] = answer.status_code
    assert len(statuses["sqlite"]) > 2000
    different = {at for at, status in statuses["sqlite"].items() if status != statuses["postgresql"][at]}
    assert not different

    held = {}
    for name, client in both.items():
        store = store_of(client)
        items, users, events = store.list_items(limit=100_000), store.list_users(limit=100_000), store.interactions()
        for item in items:
            check_item(item)
        for user in users:
            check_user(user)
        check_columns(events)
        for column, longest in ((events.user, 255), (events.item, 255), (events.event, 64)):
            for label in column.labels[used_labels(column)].tolist():
                check_id(label, longest=longest)
        _, states = store.items_changed(-1)
        never_shown = sorted(state.record.id for state in states if state.record.hidden or state.deleted)
        held[name] = (event_rows(events), without_created(items), without_created(users), never_shown)
    for on_sqlite, on_postgresql in zip(held["sqlite"], held["postgresql"], strict=True):
        assert [pair for pair in zip(on_sqlite, on_postgresql, strict=True) if pair[0] != pair[1]] == []
    assert len(held["sqlite"][0]) >= 20, "something was stored at all"
