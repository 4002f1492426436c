"""The shapes of answers, for the OpenAPI document: views answer plain dictionaries, and tests hold them to these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from recsys.serving.answer import Strategy
from recsys.serving.slots import Source

Time = Field(description="ISO 8601 in UTC; null where not known", examples=["2026-01-02T03:04:05Z"])
Title = Field(description="null where not known", examples=["The Long Way Home"])


class Shape(BaseModel):
    """One JSON object of an answer. Clients should pass over members that they do not know: more may come."""


class Fault(Shape):
    """One fault of a request: where it is, and what is wrong there."""

    detail: str
    pointer: str = Field("", description="JSON pointer into the body", examples=["#/events/3/user"])
    parameter: str = Field("", description="name of the query parameter", examples=["n"])


class Problem(Shape):
    """What every error answers (RFC 9457, application/problem+json)."""

    type: str = Field(description="a name that stays", examples=["urn:recsys:problem:unknown-id"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="what is wrong, in words", examples=["unknown item: 'i9'"])
    instance: str = Field(description="the path that was asked for", examples=["/v1/items/i9"])
    do: str = Field("", description="what to do about it")
    errors: list[Fault] = Field([], description="each fault of the request, where there are several places to look")


class ModelName(Shape):
    name: str = Field(examples=["autoencoder"])
    version: str = Field(examples=["20260131T020000000000Z-autoencoder-0123456789ab"])


class Because(Shape):
    """An item of the history that carries a recommendation."""

    item: str = Field(examples=["i3"])
    title: str | None = Title
    share: float = Field(description="of the score that goes when this item is left out of the history", examples=[0.4])


class Recommended(Shape):
    """One item of a list."""

    item: str = Field(examples=["i9"])
    score: float = Field(description="comparable within one answer only", examples=[1.23])
    rank: int = Field(ge=1, description="from 1; goes on over pages", examples=[1])
    title: str | None = Title
    source: Source = Field(
        examples=["model"],
        description="what put it there: the model, categories shared with the history, a rule of the preset, or how "
        "popular it is",
    )
    because: list[Because] = Field(
        [],
        description="only with explain: what carries it, the strongest first",
        examples=[[{"item": "i3", "title": "Harvest Moon", "share": 0.4}]],
    )
    needed: list[str] | None = Field(
        None, description="only with explain: the smallest set of past items without which it would not be in the list"
    )


Stale = Field(description="true: the database does not answer, and this was made from what was last known")


class Listed(Shape):
    model: ModelName
    strategy: Strategy = Field(description="how the answer was made; a fallback is never called personal")
    id: str = Field(description="of this answer", examples=["6f2c1d0a9b8e4f37"])
    stale: bool = Stale


class Somebody(Shape):
    user: str | None = Field(description="null for a history of the body, and for everyone", examples=["u1"])


class Answer(Listed, Somebody):
    """A list of items for somebody."""

    items: list[Recommended]


class Answers(Shape):
    """A list for each of many users, in their order."""

    answers: list[Answer]


class Popular(Listed, Somebody):
    """A list of items for everybody alike."""

    user: None
    strategy: Literal["popular", "trending"]
    items: list[Recommended]


class Trending(Popular):
    strategy: Literal["trending", "popular"]
    at: str | None = Field(
        description="when the events were counted; null: nobody could, and the list is what is popular",
        examples=["2026-01-02T03:04:05Z"],
    )


class ItemReasons(Shape):
    categories: list[str] = Field(description="those that both have", examples=[["drama"]])
    people: int | None = Field(description="who had to do with both; null for fewer than five", examples=[128])


class SimilarItem(Recommended):
    """An item like another one."""

    reasons: ItemReasons | None = Field(
        None, description="only with explain", examples=[{"categories": ["drama"], "people": 128}]
    )


class OneItem(Shape):
    item: str = Field(examples=["i9"])


class SimilarItems(Listed, OneItem):
    """The items most like one item."""

    strategy: Strategy = Field(description="how the answer was made", examples=["similar"])
    items: list[SimilarItem]


class Named(Shape):
    item: str = Field(examples=["i3"])
    title: str | None = Title


class UserReasons(Shape):
    shared: int = Field(ge=1, description="how many items both have", examples=[12])
    items: list[Named] = Field(description="some of these")


class SimilarUser(Shape):
    """A user like another one."""

    user: str = Field(examples=["u7"])
    score: float = Field(description="the cosine of what the model makes of both histories", examples=[0.83])
    rank: int = Field(ge=1, examples=[1])
    reasons: UserReasons


class SimilarUsers(Shape):
    """The users most like one user."""

    user: str = Field(examples=["u1"])
    model: ModelName
    users: list[SimilarUser]


class ListedItem(Shape):
    id: str = Field(examples=["i9"])
    title: str | None = Title
    categories: list[str] = Field(examples=[["drama", "road movie"]])
    created: str | None = Time


class Items(Shape):
    """The items that may be shown."""

    total: int = Field(ge=0, description="of all pages", examples=[1])
    stale: bool = Stale
    items: list[ListedItem]


class Item(Shape):
    """An item as it is kept."""

    id: str = Field(examples=["i9"])
    title: str | None = Title
    categories: list[str] = Field(examples=[["drama", "road movie"]])
    attributes: dict[str, Any] = Field(examples=[{"year": 2019}])
    hidden: bool = Field(description="true: in no answer", examples=[False])
    created: str | None = Time


class User(Shape):
    """A user as they are kept."""

    id: str = Field(examples=["u1"])
    attributes: dict[str, Any] = Field(examples=[{"country": "SE"}])
    created: str | None = Time


class Event(Shape):
    item: str = Field(examples=["i9"])
    title: str | None = Title
    event: str = Field(examples=["rating"])
    value: float | None = Field(examples=[5])
    time: str | None = Time


class History(Shape):
    """What a user did, newest first."""

    user: str = Field(examples=["u1"])
    total: int = Field(ge=0, description="events of all pages", examples=[1])
    events: list[Event]


class Written(Shape):
    """What came of a batch."""

    received: int = Field(ge=0, examples=[1])
    changed: int = Field(ge=0, description="those that were not yet so", examples=[1])


class Acknowledged(Shape):
    """What came of feedback: received = added + repeated. It is stored, and the next answer knows it."""

    received: int = Field(ge=0, examples=[1])
    added: int = Field(ge=0, examples=[1])
    repeated: int = Field(ge=0, description="known before, by their ids", examples=[0])
    new_users: int = Field(ge=0, examples=[1])
    new_items: int = Field(ge=0, examples=[0])
    unruled: dict[str, int] = Field(description="how many of each type of event that has no rule", examples=[{}])
