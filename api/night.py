"""The night's world: the store, the reports, the webhook, as `recsys.night` wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.app import recommendation_service
from api.lists import make_lists
from api.notify import post
from api.settings import Settings
from data.store import Store
from recsys.errors import SettingError
from recsys.gate.rules import Rules
from recsys.models import create, model_class
from recsys.night.checks import Reading
from recsys.night.plan import Ledger, Plan
from recsys.night.report import write_report
from recsys.recommender import Progress


class StoreWorld:
    """As `recsys.night.plan.World`. watch: shows the fit of one model."""

    def __init__(self, settings: Settings, store: Store, watch: Callable[[str], Callable[[Progress], None]]) -> None:
        self.settings, self.store = settings, store
        self.ledger: Ledger = store.nights
        self.watch = watch

    def read(self) -> Reading:
        forgotten = self.store.marks().forgotten  # before the events: whoever leaves in between is noticed
        bad = self.store.stats().quarantined
        return Reading(self.store.interactions(), bad, forgotten)

    def earlier(self, n: int) -> Sequence[Mapping[str, Any]]:
        ended = self.store.nights.recent(n, "done")
        return [data for night in ended if (data := night.facts.get("data"))]

    def forgotten(self) -> int:
        return self.store.marks().forgotten

    def lists(self, beat: Callable[[], None]) -> dict[str, Any]:
        wanted = self.settings.nightly
        span = self.store.stats().span
        service = recommendation_service(self.settings)
        return make_lists(
            self.store, service, wanted.top_n, None if span is None else span[1], wanted.active_days, beat
        )

    def report(self, night: Mapping[str, Any]) -> Path:
        name = datetime.fromtimestamp(night["begun"], UTC).strftime("%Y%m%dT%H%M%SZ")
        return write_report(night, self.settings.reports_folder / name)

    def notify(self, night: Mapping[str, Any]) -> str:
        return post(self.settings.nightly.webhook, night)


def plan_of(settings: Settings, *, dry_run: bool = False, accept_data: bool = False) -> Plan:
    """The night that these settings ask for. SettingError for a model, a setting or a metric there is none of."""
    wanted = settings.nightly
    for name in wanted.models:
        model_class(name)  # found now, not after an hour
        create(name, **settings.models.get(name, {}))
    if settings.panel_share == 0:
        raise SettingError(
            "without a panel nobody is left to judge a night by", where="panel_share", do="set it above 0, as 0.1"
        )
    return Plan(
        models={name: settings.models.get(name, {}) for name in wanted.models},
        weights=settings.weights,
        min_user=settings.min_user,
        min_item=settings.min_item,
        share=settings.panel_share,
        seed=settings.seed,
        device=settings.device,
        rules=Rules(metric=wanted.metric, margin=wanted.margin, better=wanted.better, alpha=wanted.alpha),
        keep=wanted.keep,
        dry_run=dry_run,
        accept_data=accept_data,
    )
