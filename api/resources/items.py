"""Items: what people see of them, and the lists that need no history."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from pydantic import ConfigDict, Field

from api import shapes
from api.auth import Policy, policy
from api.context import assortment, context, moment
from api.describe import describes
from api.errors import Refused
from api.limits import MAX_BATCH
from api.resources.answers import as_json, service
from api.resources.fields import Attributes, Categories, Id, Page, Strict, Time, Title, iso
from api.resources.parse import body, path_id, query
from api.resources.wishes import Explainable, Filters, Some
from data.records import ItemRecord
from recsys.errors import StoreError, UnknownId
from recsys.interactions import NO_TIME
from recsys.serving.assortment import Article

blueprint = Blueprint("items", __name__, url_prefix="/v1")
_FEWEST = 5  # people, below which a number of them could point at one


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


class Searched(Page):
    model_config = ConfigDict(extra="forbid", frozen=True)

    search: Title | None = Field(None, description="words of the title, or an id, in any case of letters")
    category: Some = Field([], description="only items of at least one of these categories")


@blueprint.get("/items")
@policy(Policy.READ)
@describes(shapes.Items, query=Searched, ask="search=long+way")
def list_items() -> dict[str, Any]:
    """The items that may be shown, the newest first; those whose title holds the words searched for."""
    asked = query(Searched)
    found = assortment().search(asked.search, frozenset(asked.category))
    page = found[asked.offset : asked.offset + asked.n]
    return {"total": len(found), "stale": moment().stale, "items": [_article(article) for article in page]}


@blueprint.get("/items/popular")
@policy(Policy.READ)
@describes(shapes.Popular, query=Filters, statuses={404: "No such model."}, ask="n=3&category=drama")
def popular() -> dict[str, Any]:
    """What most people preferred when the live model was trained."""
    return as_json(service().popular(query(Filters).ask(), assortment()), moment().stale)


@blueprint.get("/items/trending")
@policy(Policy.READ)
@describes(shapes.Trending, query=Filters, statuses={404: "No such model."}, ask="n=3")
def trending() -> dict[str, Any]:
    """What most happens with lately: events counted, one of some days ago half. "at" says when they were counted."""
    here = context()
    try:
        trend = here.trends.current()
    except StoreError:
        if not moment().stale:
            raise
        trend = None
    if trend is None:
        return {**popular(), "at": None}
    answer = service().ranked(trend.items, query(Filters).ask(), assortment())
    return {**as_json(answer, moment().stale), "at": iso(trend.at)}


@blueprint.get("/items/<id:item>/similar")
@policy(Policy.READ)
@describes(
    shapes.SimilarItems, query=Explainable, statuses={404: "No such item, or no such model."}, ask="n=3&explain=true"
)
def similar(item: str) -> dict[str, Any]:
    """The items most like one item; 404 when nobody knows it. With explain: the categories that both have, and how
    many people had to do with both, where they are five or more."""
    asked = query(Explainable)
    answer = service().similar(path_id(item, "item"), asked.ask(), assortment())
    shown = as_json(answer, moment().stale)
    del shown["user"]
    if asked.explain:
        both = {} if moment().stale else context().store.both(item, [row.item for row in answer.items])
        for place, row in zip(shown["items"], answer.items, strict=True):
            people = both.get(row.item, 0)
            place["reasons"] = {"categories": list(row.categories), "people": people if people >= _FEWEST else None}
    return {"item": item, **shown}


@blueprint.get("/items/<id:item>")
@policy(Policy.READ)
@describes(shapes.Item, statuses={404: "No such item."})
def get_item(item: str) -> dict[str, Any]:
    """All that is known of an item; 404 for one that is not there or was deleted."""
    record = context().store.item(path_id(item, "item"))
    if record is None:
        raise _unknown(item)
    return _shown(record)


@blueprint.put("/items/<id:item>")
@policy(Policy.ADMIN)
@describes(shapes.Item, body=ItemBody, example={"title": "The Long Way Home", "categories": ["drama"]})
def put_item(item: str) -> dict[str, Any]:
    """Make an item, or replace all that is known of it. hidden: true takes it out of the very next answer."""
    record, store = body(ItemBody).record(path_id(item, "item")), context().store
    store.put_items([record])
    return _shown(store.item(item) or record)  # as it is stored; gone already: as it was put


@blueprint.post("/items:batch")
@policy(Policy.ADMIN)
@describes(shapes.Written, body=ItemBatch, example={"items": [{"id": "i9", "title": "The Long Way Home"}]})
def put_items() -> dict[str, int]:
    """1..1000 items at once, all or nothing."""
    batch = body(ItemBatch).items
    once([item.id for item in batch], "items")
    return {"received": len(batch), "changed": context().store.put_items([item.record(item.id) for item in batch])}


@blueprint.delete("/items/<id:item>")
@policy(Policy.ADMIN)
@describes(None, status=204, statuses={404: "No such item."})
def delete_item(item: str) -> tuple[str, int]:
    """Take an item out; no answer shows it from now on."""
    if not context().store.delete_item(path_id(item, "item")):
        raise _unknown(item)
    return "", 204


def once(ids: list[str], noun: str) -> None:
    """Refused (422) when an id of a batch is that of an earlier one, too."""
    first: dict[str, int] = {}
    for number, id_ in enumerate(ids):
        if first.setdefault(id_, number) != number:
            detail = f"the id is that of {noun} {first[id_]} too"
            named = {"detail": detail, "pointer": f"#/{noun}/{number}/id"}
            raise Refused(422, "invalid-body", f"the body is not valid: #/{noun}/{number}/id: {detail}", [named])


def _unknown(item: str) -> UnknownId:
    return UnknownId(f"unknown item: {item!r}")


def _article(article: Article) -> dict[str, Any]:
    created = None if article.created == NO_TIME else article.created
    return {
        "id": article.id,
        "title": article.title,
        "categories": list(article.categories),
        "created": iso(created),
    }


def _shown(record: ItemRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "title": record.title,
        "categories": list(record.categories),
        "attributes": dict(record.attributes),
        "hidden": record.hidden,
        "created": iso(record.created),
    }
