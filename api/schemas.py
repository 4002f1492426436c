"""The schemas of requests and answers: pydantic's, with what only functions check made visible, and names in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema

from api.limits import FUTURE_DAYS, MAX_DEPTH
from api.resources.fields import Attributes, Category, Event, Id, Time, Title
from data.records import MAX_ATTRIBUTES, MAX_EVENT, MAX_ID, MAX_TITLE

References = Mapping[tuple[Any, JsonSchemaMode], JsonSchemaValue]

REF = "#/components/schemas/{model}"
# As data.records has it. $(?!\n): some engines let $ match before a last line break.
PRINTABLE = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$(?!\\n)"
LISTED = PRINTABLE.replace("[^", "[^,")  # within a list of a query string, which is cut at commas
VISIBLE = "^[!-~]*$(?!\\n)"  # what every client can put into a header

# What a name means, wherever a request has it; a field's own description goes before.
WORDS = {
    "n": "how many",
    "offset": "how many to pass over: the page after n=10 is n=10&offset=10",
    "user": "the user's id",
    "item": "the item's id",
    "version": "a model version, as GET /v1/models lists them",
    "report": "a report's id, as GET /v1/reports lists them",
    "receipt": "a receipt's id, as DELETE /v1/users/{user} answers it",
    "events": "stored all or none",
    "event": "its type: rating, like, purchase, view, ...",
    "value": "what goes with the event: stars, seconds, pieces",
    "time": "when it happened",
    "history": "what somebody did; a bare item id stands for an object that has only that",
    "items": "stored all or none",
    "users": "each once",
    "id": "the sender's own",
    "title": "what people see",
    "categories": "what it has in common with others",
    "hidden": "true takes it out of the very next answer",
    "attributes": "anything else",
    "created": "when it came to be",
}
EXAMPLES = {
    "user": "u1",
    "item": "i9",
    "version": "20260131T020000000000Z-autoencoder-0123456789ab",
    "report": "20260131T020000Z",
    "receipt": "0123456789abcdef01234567",
}


def text(longest: int) -> JsonSchemaValue:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": PRINTABLE}


def header_text(longest: int) -> JsonSchemaValue:
    return {**text(longest), "pattern": VISIBLE}


# Types whose checks are functions, which JSON Schema does not see.
CHECKED: tuple[tuple[Any, JsonSchemaValue], ...] = (
    (Id, text(MAX_ID)),
    (Category, text(MAX_ID)),
    (Event, text(MAX_EVENT)),
    (Title, text(MAX_TITLE)),
    (
        Time,
        {
            "type": "string",
            "format": "date-time",
            "maxLength": 40,
            "description": "ISO 8601, UTC unless it says otherwise, from 1900 to 2199. The time of an event is at most "
            f"{FUTURE_DAYS} day ahead.",
            "examples": ["2026-01-02T03:04:05Z"],
        },
    ),
    (
        Attributes,
        {
            "type": "object",
            "description": f"any JSON of at most {MAX_ATTRIBUTES:,} bytes, {MAX_DEPTH} levels and integers of 64 bits, "
            "without NUL characters",
            "examples": [{"year": 2019}],
        },
    ),
)
_SCHEMA_OF = {check.func: schema for kind, schema in CHECKED for check in get_args(kind) if hasattr(check, "func")}


class Schemas(GenerateJsonSchema):
    """pydantic's, with the checks that are functions, and no titles that repeat the name."""

    def function_after_schema(self, schema: Any) -> JsonSchemaValue:
        return self._checked(schema) or super().function_after_schema(schema)

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        return self._checked(schema) or super().function_before_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    @staticmethod
    def _checked(schema: Any) -> JsonSchemaValue:
        return dict(_SCHEMA_OF.get(schema["function"]["function"], {}))


def schemas_of(models: Iterable[type[BaseModel]], mode: JsonSchemaMode) -> tuple[References, dict[str, Any]]:
    """({(model, mode): its reference}, {name: schema}) of these models and all they are made of."""
    wanted = [(model, mode) for model in sorted(models, key=lambda model: model.__name__)]
    references, found = models_json_schema(wanted, ref_template=REF, schema_generator=Schemas)
    schemas: dict[str, Any] = found.get("$defs", {})
    for schema in schemas.values():
        schema.pop("title", None)
    return references, schemas
