"""Items: what people see of them, what is like them, and what is popular."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from api.auth import Policy, policy
from api.context import context
from api.errors import Refused
from api.limits import MAX_BATCH
from api.resources.answers import allowed, as_json, ranked, service
from api.resources.fields import Attributes, Categories, Category, Id, Page, Strict, Time, Title, iso
from api.resources.parse import body, path_id, query
from data.records import ItemRecord
from recsys.errors import UnknownId

blueprint = Blueprint("items", __name__, url_prefix="/v1")


class ItemBody(Strict):
    title: Title | None = None
    categories: Categories = []
    attributes: Attributes = {}
    hidden: bool = False
    created: Time | None = None

    def record(self, id_: str) -> ItemRecord:
        return ItemRecord(id_, self.title, tuple(self.categories), self.attributes, self.hidden, self.created)


class ItemOfBatch(ItemBody):
    id: Id


class ItemBatch(Strict):
    items: Annotated[list[ItemOfBatch], Field(min_length=1, max_length=MAX_BATCH)]


class Asked(Page):
    model: Id | None = None
    category: Category | None = None


@blueprint.get("/items/popular")
@policy(Policy.READ)
def popular() -> dict[str, Any]:
    """What most people preferred when the live model was trained."""
    asked = query(Asked)
    return as_json(service().popular(asked.n, asked.offset, asked.model, allowed(asked.category)))


@blueprint.get("/items/<id:item>/similar")
@policy(Policy.READ)
def similar(item: str) -> dict[str, Any]:
    """The items most like one item; 404 when the live model does not know it."""
    asked = query(Asked)
    answer = service().similar(path_id(item, "item"), asked.n, asked.offset, asked.model, allowed(asked.category))
    return {
        "item": item,
        "model": {"name": answer.model_name, "version": answer.model_version},
        "strategy": answer.strategy,
        "id": answer.id,
        "items": ranked(answer),
    }


@blueprint.get("/items/<id:item>")
@policy(Policy.READ)
def get_item(item: str) -> dict[str, Any]:
    record = context().store.item(path_id(item, "item"))
    if record is None:
        raise _unknown(item)
    return _shown(record)


@blueprint.put("/items/<id:item>")
@policy(Policy.ADMIN)
def put_item(item: str) -> dict[str, Any]:
    """Make an item, or replace all that is known of it. hidden: true takes it out of the very next answer."""
    record = body(ItemBody).record(path_id(item, "item"))
    context().store.put_items([record])
    return _shown(record)


@blueprint.post("/items:batch")
@policy(Policy.ADMIN)
def put_items() -> dict[str, int]:
    """1..1000 items at once, all or nothing."""
    batch = body(ItemBatch).items
    first: dict[str, int] = {}
    for number, item in enumerate(batch):
        if first.setdefault(item.id, number) != number:
            detail = f"the id is that of item {first[item.id]} too"
            named = {"detail": detail, "pointer": f"#/items/{number}/id"}
            raise Refused(422, "invalid-body", f"the body is not valid: #/items/{number}/id: {detail}", [named])
    return {"received": len(batch), "changed": context().store.put_items([item.record(item.id) for item in batch])}


@blueprint.delete("/items/<id:item>")
@policy(Policy.ADMIN)
def delete_item(item: str) -> tuple[str, int]:
    """Take an item out; no answer shows it from now on."""
    if not context().store.delete_item(path_id(item, "item")):
        raise _unknown(item)
    return "", 204


def _unknown(item: str) -> UnknownId:
    return UnknownId(f"unknown item: {item!r}")


def _shown(record: ItemRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "title": record.title,
        "categories": list(record.categories),
        "attributes": dict(record.attributes),
        "hidden": record.hidden,
        "created": iso(record.created),
    }
