"""Sections: the parts of the settings that have a table of their own in recsys.toml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class EventSettings(BaseModel):
    """[events.NAME]: fields of `EventRule` to set for one event type; the rest stays as it is by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float | None = Field(None, ge=0, allow_inf_nan=False)
    transform: Literal["count", "threshold", "linear", "log1p"] | None = None
    at: float | None = Field(None, allow_inf_nan=False)
    combine: Literal["last", "sum", "max"] | None = None
    dislike: bool | None = None
    dislike_below: float | None = Field(None, allow_inf_nan=False)


class NightlySettings(BaseModel):
    """[nightly]: what a night trains, what it takes to go live, and what else it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = Field(default=("autoencoder", "als"), min_length=1, description="models to retrain")
    metric: str = Field(default="ndcg@100", description="what versions are judged by first")
    margin: float = Field(default=0.04, gt=0, le=0.5, description="how much worse still counts as not worse")
    better: bool = Field(default=False, description="put a version live only when it is shown to be better")
    alpha: float = Field(
        default=0.05, gt=0, le=0.5, description="chance, in a year, to put live what is worse by the margin"
    )
    keep: int = Field(default=7, ge=1, le=1000, description="old versions kept of each model")
    top_n: int = Field(default=20, ge=1, le=500, description="items in the lists made for active people")
    active_days: float = Field(
        default=90.0, gt=0, le=36_500, description="active: did something so many days before the last event"
    )
    webhook: str = Field(default="", description="URL that is told how each night ended, as JSON")
    stuck_minutes: float = Field(
        default=60.0, ge=1, le=1440, description="silence after which a night is taken for dead"
    )
    nice: int = Field(default=19, ge=0, le=19, description="how far a night steps back for whoever serves")

    @field_validator("models", mode="before")
    @classmethod
    def _listed_models(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
