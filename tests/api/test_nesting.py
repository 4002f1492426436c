"""How deep JSON may be nested: as deep as the words say, whatever stands in its strings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Refused
from api.limits import MAX_BODY_DEPTH, MAX_DEPTH
from api.resources import parse
from api.resources.parse import parse_json

TEXTS = st.text('[]{}"\\ aü', max_size=6)
VALUES = st.recursive(
    TEXTS | st.none(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


def levels(value):
    if not isinstance(value, list | dict):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(levels, inner), default=0)


@given(VALUES, st.booleans())
def test_only_brackets_outside_strings_count(value, plain):
    assert parse._depth(json.dumps(value, ensure_ascii=plain).encode()) == levels(value)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a": ', b"}"), (b'["\\"[", ', b"]")])
def test_a_body_is_refused_from_the_level_on_that_the_refusal_names(opening, closing, monkeypatch):
    def nested(depth):
        return opening * depth + b"1" + closing * depth

    assert levels(parse_json(nested(MAX_BODY_DEPTH))) == MAX_BODY_DEPTH
    assert parse_json(b"[" + b"[], " * 1_000 + b'"' + b"[" * 1_000 + b'"]')[-1] == "[" * 1_000
    monkeypatch.setattr(parse, "orjson", None)  # not even tried
    for text in (nested(MAX_BODY_DEPTH + 1), opening * 100_000):
        with pytest.raises(Refused, match=f"deeper than {MAX_BODY_DEPTH} levels"):
            parse_json(text)


def attributes(depth):
    found = {}
    for _ in range(depth - 1):
        found = {"a": found}
    return found


def test_attributes_may_be_as_deep_as_is_said_wherever_they_stand(client):
    deep = attributes(MAX_DEPTH)
    assert levels(deep) == MAX_DEPTH
    assert client.put("/v1/items/deep", json={"attributes": deep}).status_code == 200
    assert client.post("/v1/items:batch", json={"items": [{"id": "deep2", "attributes": deep}]}).status_code == 200
    assert client.get("/v1/items/deep2").get_json()["attributes"] == deep
    answer = client.put("/v1/items/deeper", json={"attributes": attributes(MAX_DEPTH + 1)})
    assert (answer.status_code, answer.get_json(force=True)["errors"][0]["pointer"]) == (422, "#/attributes")
    assert str(MAX_DEPTH) in answer.get_json(force=True)["detail"]
