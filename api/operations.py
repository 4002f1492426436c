"""The shapes of answers to those who run it: models, reports, health."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.shapes import Shape, Stale, Time

REPORT_ID = "[0-9]{8}T[0-9]{6}Z"  # as `recsys evaluate` names its folders


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


class ModelList(Shape):
    """The live release, null before the first, and every version kept, newest first."""

    live: Release | None
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
