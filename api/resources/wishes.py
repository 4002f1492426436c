"""Wishes: what a request may want of a list, the same in a query string and in a body."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.limits import DEFAULT_N, MAX_EXPLAINED
from api.resources.fields import Category, Exclude, Id, N, Offset, Time, fault
from recsys.serving.ask import Ask

Some = Annotated[list[Category], Field(max_length=100)]
Dial = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Filters(BaseModel):
    """n, offset, model, and which items may come. Lists are a,b,c in a query string."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: N = Field(DEFAULT_N, description="how many items")
    offset: Offset = Field(0, description="how many of the best to pass over; pages fit while nothing changes")
    model: Id | None = Field(None, description="which live model answers; by default the configured one")
    category: Some = Field([], description="only items of at least one of these categories")
    not_category: Some = Field([], description="no item of any of these categories")
    exclude: Exclude = Field([], description="never these items")
    only: Exclude | None = Field(None, description="no other items than these")
    since: Time | None = Field(None, description="only items created then or later")

    def ask(self) -> Ask:
        return Ask(
            self.n,
            self.offset,
            self.model,
            categories=frozenset(self.category),
            without=frozenset(self.not_category),
            only=None if self.only is None else frozenset(self.only),
            exclude=frozenset(self.exclude),
            since=self.since,
        )


class Explainable(Filters):
    """Filters, and explain: reasons for each row, of fewer rows."""

    explain: bool = Field(False, description="say why each item is there")

    @model_validator(mode="after")
    def _few_enough(self) -> Self:
        if self.explain and self.n > MAX_EXPLAINED:
            raise fault("explain", f"with explain, n is at most {MAX_EXPLAINED}")
        return self

    def ask(self) -> Ask:
        return replace(super().ask(), explain=self.explain)


class Wishes(Explainable):
    """Everything that may be wanted of recommendations."""

    include_seen: bool = Field(False, description="items of the history may come again")
    diversity: Dial | None = Field(None, description="0: by score, 1: as unlike each other as can be")
    calibration: Dial | None = Field(None, description="0: by score, 1: categories in the shares of the history")
    preset: Id | None = Field(None, description="named rules of the settings, [presets.NAME]")

    def ask(self) -> Ask:
        return replace(
            super().ask(),
            include_seen=self.include_seen,
            diversity=self.diversity,
            calibration=self.calibration,
            preset=self.preset,
        )
