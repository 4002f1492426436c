"""The OpenAPI document as plain values ready for the page: groups of routes, their fields in words, examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PLURAL = {"string": "texts", "integer": "integers", "number": "numbers", "object": "objects"}
_NOUN = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "object": "object"}
_KEY = '-H "Authorization: Bearer $KEY"'


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a member of a body. place: path, query, header or body."""

    name: str
    place: str
    kind: str
    words: str
    required: bool
    default: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One route and method. curl: the line after the address is filled in for ``{address}``. answer: "" for no JSON."""

    id: str
    method: str
    path: str
    summary: str
    words: Sequence[str]
    scope: str
    fields: Sequence[Field]
    curl: str
    status: str
    media: str
    answer: str
    errors: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    words: str
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Manual:
    version: str
    groups: Sequence[Group]
    problems: Sequence[tuple[str, str]]
    problem: str


def manual(document: Mapping[str, Any], asks: Mapping[str, str]) -> Manual:
    """What the page shows of a document. asks: operationId -> a good query string for its example."""
    maker = _Maker(document, asks)
    return Manual(
        document["info"]["version"],
        [Group(tag["name"], tag["description"], list(maker.calls(tag["name"]))) for tag in document["tags"]],
        [(status, response["description"]) for status, response in document["components"]["responses"].items()],
        _pretty(maker.example({"$ref": "#/components/schemas/Problem"})),
    )


class _Maker:
    def __init__(self, document: Mapping[str, Any], asks: Mapping[str, str]) -> None:
        self._document, self._asks = document, asks

    def calls(self, group: str) -> Iterator[Call]:
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                if group in operation["tags"]:
                    yield self._call(path, method.upper(), operation)

    def _call(self, path: str, method: str, operation: Mapping[str, Any]) -> Call:
        *words, _access = operation["description"].split("\n\n")
        responses = {status: self._follow(one) for status, one in operation["responses"].items()}
        status = next(status for status in responses if status < "300")
        content = responses[status].get("content", {})
        media = next(iter(content), "")
        answer = _pretty(self.example(content[media]["schema"])) if media == "application/json" else ""
        security = operation.get("security")
        return Call(
            operation["operationId"],
            method,
            path,
            operation["summary"],
            words,
            security[0]["bearer"][0] if security else "",
            [*self._parameters(operation), *self._body(operation)],
            self._curl(path, method, operation),
            status,
            media,
            "" if answer == "{}" else answer,
            [(code, one["description"]) for code, one in responses.items() if code >= "300"],
        )

    def _follow(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            found: Any = self._document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = {**found, **{name: inner for name, inner in value.items() if name != "$ref"}}
        return value

    def _parameters(self, operation: Mapping[str, Any]) -> Iterator[Field]:
        for one in operation.get("parameters", ()):
            kind = self._kind(one["schema"])
            if one.get("explode") is False:
                kind = f"{kind}, with commas between"
            words = one.get("description", "")
            yield Field(one["name"], one["in"], kind, words, one.get("required", False), _default(one["schema"]))

    def _body(self, operation: Mapping[str, Any]) -> Iterator[Field]:
        if "requestBody" in operation:
            yield from self._members(operation["requestBody"]["content"]["application/json"]["schema"], "")

    def _members(self, schema: Mapping[str, Any], before: str) -> Iterator[Field]:
        """The members of an object, those of the objects in it after it: events[].user."""
        schema = self._follow(schema)
        for name, one in schema.get("properties", {}).items():
            one = self._follow(one)
            required = name in schema.get("required", ())
            yield Field(before + name, "body", self._kind(one), one.get("description", ""), required, _default(one))
            inner = one.get("items", {})
            for option in (inner, *inner.get("anyOf", ())):
                yield from self._members(option, f"{before}{name}[].")

    def _kind(self, schema: Mapping[str, Any]) -> str:
        """What a value may be, in words."""
        schema = self._follow(schema)
        if "enum" in schema:
            return " or ".join(json.dumps(one) for one in schema["enum"])
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._kind(one) for one in schema["anyOf"]))
        kind = schema.get("type", "any")
        if kind == "array":
            inner = self._follow(schema["items"])
            options = [self._follow(one) for one in inner.get("anyOf", (inner,))]
            nouns = " or ".join(_PLURAL.get(one.get("type", ""), "values") for one in options)
            return f"list of {_range(schema, 'minItems', 'maxItems')} {nouns}".replace("  ", " ")
        if schema.get("format") == "date-time":
            return "time"
        noun = _NOUN.get(kind, kind)
        if kind == "string" and "maxLength" in schema:
            return f"{noun}, {_range(schema, 'minLength', 'maxLength')} characters"
        limits = _range(schema, "minimum", "maximum")
        return f"{noun}, {limits}" if limits else noun

    def _curl(self, path: str, method: str, operation: Mapping[str, Any]) -> str:
        for one in operation.get("parameters", ()):
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", self.example(one["schema"]))
        ask = self._asks.get(operation["operationId"], "")
        address = "{address}" + path + (f"?{ask}" if ask else "")
        parts = [f"curl {'' if method == 'GET' else f'-X {method} '}'{address}'"]
        if "security" in operation:
            parts.append(_KEY)
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ())):
            parts.append("-H 'Idempotency-Key: 7c9e6679-7425-40de-944b'")
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            body = content.get("example", self.example(content["schema"]))
            parts.append("-H 'Content-Type: application/json'")
            parts.append(f"-d '{json.dumps(body, ensure_ascii=False)}'")
        return " \\\n  ".join(parts)

    def example(self, schema: Mapping[str, Any]) -> Any:
        """A value that fits: the schema's own example, or one made of its parts."""
        schema = self._follow(schema)
        for name in ("examples", "enum"):
            if name in schema:
                return schema[name][0]
        if "const" in schema:
            return schema["const"]
        if "anyOf" in schema:
            return self.example(schema["anyOf"][0])
        kind = schema.get("type")
        if kind == "object":
            required = schema.get("required", ())
            return {
                name: self.example(one)
                for name, one in schema.get("properties", {}).items()
                if name in required or "examples" in one
            }
        if kind == "array":
            return [self.example(schema["items"])]
        return {"string": "...", "integer": 1, "number": 1.0, "boolean": False}.get(str(kind))


def _default(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema["default"]) if schema.get("default") not in (None, [], {}) else ""


def _range(schema: Mapping[str, Any], low: str, high: str) -> str:
    least, most = (f"{schema[name]:,.10g}" if name in schema else "" for name in (low, high))
    if least and most:
        return f"{least} to {most}"
    return f"at most {most}" if most else f"at least {least}" if least else ""


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
