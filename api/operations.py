"""The shapes of answers to those who run it: models, reports, health."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.shapes import Shape, Stale, Time

REPORT_ID = "[0-9]{8}T[0-9]{6}Z"  # as `recsys evaluate` names its folders
RECEIPT_ID = "[0-9a-f]{24}"


class Release(Shape):
    """Which versions answer."""

    sequence: int = Field(ge=1, description="grows by one at every change", examples=[3])
    models: dict[str, str] = Field(
        description="model to version", examples=[{"autoencoder": "20260131T020000000000Z-autoencoder-0123456789ab"}]
    )
    default: str = Field(description="the model that answers when a request names none", examples=["autoencoder"])


class Version(Shape):
    version: str
    model: str = Field(examples=["autoencoder"])
    created: str = Time
    live: bool
    previous: bool = Field(description="true: a rollback brings it back")
    marked: str | None = Field(
        description="since when it may not go live, for it may have learnt from somebody who was forgotten",
        examples=[None],
    )
    decision: str | None = Field(description="of the last night that judged it", examples=["promote"])


class Hold(Shape):
    """Somebody went back: nights go on judging, and promote nothing until a person does."""

    since: str = Time
    versions: list[str] = Field(description="those that were left")


class ModelList(Shape):
    """The live release, null before the first, and every version kept, newest first."""

    live: Release | None
    hold: Hold | None
    versions: list[Version]


class Live(Shape):
    """The release that is live now."""

    live: Release


class ReportSummary(Shape):
    id: str = Field(pattern=f"^{REPORT_ID}$", examples=["20260131T020000Z"])
    created: str | None = Time
    models: list[str] = Field(examples=[["als", "autoencoder"]])
    verdict: str | None = Field(
        description="what it comes to, in one sentence", examples=["autoencoder is ahead of als by 0.02 ndcg@100"]
    )
    fault: str | None = Field(description="why the report cannot be read; null when it can", examples=[None])


class ReportList(Shape):
    """The evaluations kept, newest first."""

    total: int = Field(ge=0, examples=[1])
    reports: list[ReportSummary]


class Report(Shape):
    """report.json of an evaluation."""

    model_config = ConfigDict(extra="allow")

    schema_: Literal[1] = Field(alias="schema")
    created: str
    models: dict[str, Any]


class MarkedVersion(Shape):
    version: str = Field(examples=["20260131T020000000000Z-autoencoder-0123456789ab"])
    kept: bool = Field(description="false: it was removed since")
    live: bool = Field(description="true: it answers until another takes its place")


class Receipt(Shape):
    """That somebody was forgotten; it does not say who."""

    id: str = Field(pattern=f"^{RECEIPT_ID}$", examples=["0123456789abcdef01234567"])
    at: str = Field(description="since when, ISO 8601 in UTC", examples=["2026-01-31T02:00:00Z"])
    events: int = Field(ge=0, description="deleted")
    quarantined: int = Field(ge=0, description="rows put aside that named them, deleted")
    lists: int = Field(ge=0, description="made ahead for them, deleted")
    versions: list[MarkedVersion] = Field(description="that may have learnt from them: they never go live again")


class Alive(Shape):
    status: Literal["alive"]


class DatabaseState(Shape):
    status: Literal["ok", "unavailable"]
    latency_ms: float | None = Field(None, examples=[0.4])
    schema_: str | None = Field(None, alias="schema", description="the version of its schema")
    fault: str | None = None


class LiveModel(Shape):
    version: str = Field(examples=["20260131T020000000000Z-autoencoder-0123456789ab"])
    created: str | None = Time
    age_seconds: int = Field(examples=[3600])
    items: int = Field(ge=0, examples=[20000])


class Readiness(Shape):
    """Can this process answer, and with which models."""

    status: Literal["ready", "degraded", "unready"] = Field(description="degraded: it answers, but something is wrong")
    stale: bool = Stale
    database: DatabaseState
    models: dict[str, LiveModel] = Field(
        examples=[
            {
                "autoencoder": {
                    "version": "20260131T020000000000Z-autoencoder-0123456789ab",
                    "created": "2026-01-31T02:00:00Z",
                    "age_seconds": 3600,
                    "items": 20000,
                }
            }
        ]
    )
    default: str | None = Field(
        description="the model that answers when a request names none", examples=["autoencoder"]
    )
    fault: str | None = Field(description="what is wrong with the newest release", examples=[None])
