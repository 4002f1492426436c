"""describes: what a view takes and answers, declared beside it; the OpenAPI document and the page are made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask
from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Facts:
    """What one view takes and answers.

    answer: the model of the JSON it answers, the media type of an answer that is no JSON, None for no content. status:
    of an answer that is no error. statuses: further ones, in words for a problem, or the model of their JSON. headers:
    those it reads, in words; each holds an id. example: a body, ask: a query string, both good, for the page.
    """

    answer: type[BaseModel] | str | None
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    status: int = 200
    statuses: Mapping[int, str | type[BaseModel]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    example: Any = None
    ask: str = ""


def describes(answer: type[BaseModel] | str | None, **facts: Any) -> Callable[[View], View]:
    """Declare the `Facts` of a view. What it is for is told by its docstring: a summary line, then more if needed."""

    def declare(view: View) -> View:
        view.facts = Facts(answer, **facts)  # type: ignore[attr-defined]
        return view

    return declare


def facts_of(app: Flask, endpoint: str) -> Facts | None:
    """None for a view that declares none: a page for people, or a file."""
    return getattr(app.view_functions[endpoint], "facts", None)
