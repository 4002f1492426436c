"""Question: what models are asked in an evaluation, as plain values: kept in the report, it can be asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from api.cli.known import catalogue_of, catalogue_of_store
from api.cli.output import say
from api.cli.session import Session
from recsys.errors import DataError
from recsys.feedback import EventRule, FeedbackWeights

if TYPE_CHECKING:
    from recsys.evaluation.catalogue import Catalogue
    from recsys.evaluation.split import Split
    from recsys.interactions import Interactions
    from recsys.matrix import InteractionMatrix

PROTOCOLS = ("strong", "leave-last-out", "temporal", "rolling", "fixed")


@dataclass(frozen=True)
class Question:
    """The data, by the names of its files as they were given, or the store where there are none; and how it is cut.

    events: the rules of `recsys.feedback` by event type, and half_life_days: what interactions counted. at: the moment
    of a temporal split, ISO 8601. windows: how many of a rolling one. share: of the interactions that is asked about.
    """

    protocol: str
    seeds: tuple[int, ...] = (0,)
    interactions: str | None = None
    train: str | None = None
    test: str | None = None
    items: str | None = None
    users: str | None = None
    columns: Mapping[str, str] | None = None
    min_value: float | None = None
    min_user: int = 5
    min_item: int = 1
    at: str | None = None
    share: float = 0.1
    windows: int = 3
    events: Mapping[str, Mapping[str, Any]] | None = None
    half_life_days: float | None = None

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        """From the plain values of a report."""
        return cls(**{**values, "seeds": tuple(values["seeds"])})

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "seeds": list(self.seeds)}

    def at_home(self, session: Session) -> Question:
        """The same with the rules of this session written down."""
        weights = session.settings.weights
        events = {name: asdict(rule) for name, rule in weights.rules.items()}
        return replace(self, events=events, half_life_days=weights.half_life_days)

    @property
    def source(self) -> str:
        """The data in words."""
        if self.train is not None:
            return f"{self.train} and {self.test}"
        return self.interactions or "the store"

    def splits(self, session: Session) -> list[Split]:
        """One split a seed, or a window of time. Raises DataError for what cannot be read or cut."""
        from recsys.evaluation import protocols
        from recsys.evaluation.protocols.rows import left_out
        from recsys.matrix import InteractionMatrix

        if self.train is not None and self.test is not None:
            train, test = _read(self.train, self.columns), _read(self.test, self.columns)
            _say_unruled(FeedbackWeights(), train, test)
            return _each_labelled([protocols.fixed(train, test, seed) for seed in self.seeds])
        data = self._data(session)
        weights = self._weights(data)
        _say_unruled(weights, data)
        sizes = {"min_user": self.min_user, "min_item": self.min_item}
        if self.protocol == "rolling":
            found = protocols.rolling(data, weights, self.seeds[0], cuts=self.windows, share=self.share, **sizes)
        elif self.protocol == "temporal":
            at = None if self.at is None else _moment(self.at)
            found = [protocols.temporal(data, weights, s, at=at, share=self.share, **sizes) for s in self.seeds]
        elif self.protocol == "leave-last-out":
            found = [protocols.leave_last_out(data, weights, seed, **sizes) for seed in self.seeds]
        else:
            matrix = InteractionMatrix.build(data, weights, **sizes)
            found = [protocols.strong(matrix, seed, span=data.span(), interactions=data) for seed in self.seeds]
        rows = sum(weights.unruled(data).values())
        if rows:
            more = left_out((rows, "interactions", "of event types without a rule: they count nothing"))
            found = [replace(split, left_out=(*more, *split.left_out)) for split in found]
        return _each_labelled(found)

    def matrix(self, session: Session) -> InteractionMatrix:
        """Everybody's interactions, uncut."""
        from recsys.matrix import InteractionMatrix

        data = self._data(session)
        return InteractionMatrix.build(data, self._weights(data), self.min_user, self.min_item)

    def catalogue(self, session: Session) -> Catalogue:
        """Titles, categories and attributes: from the files named, those that lie beside the data, or the store."""
        from data import readers

        if self.train is None and self.interactions is None:
            return catalogue_of_store(session.store())
        beside = Path(self.interactions or self.train or "")
        items = readers.read_items(Path(self.items)) if self.items else readers.items_of(beside)
        users = readers.read_users(Path(self.users)) if self.users else readers.users_of(beside)
        return catalogue_of(items, users)

    def _data(self, session: Session) -> Interactions:
        if self.interactions is None:
            return session.store().interactions()
        return _read(self.interactions, self.columns)

    def _weights(self, data: Interactions) -> FeedbackWeights:
        if self.min_value is not None:  # every event type by one rule: the last value given counts as liked from it on
            rule = EventRule(transform="threshold", at=self.min_value, combine="last")
            return FeedbackWeights({str(label): rule for label in data.event.labels})
        rules = {name: EventRule(**rule) for name, rule in (self.events or {}).items()}
        return FeedbackWeights(rules, self.half_life_days) if rules else FeedbackWeights()


def _each_labelled(splits: list[Split]) -> list[Split]:
    """Of several splits each has a name; windows of time have theirs already."""
    return [replace(split, label=split.label or f"seed {split.seed}") for split in splits] if splits[1:] else splits


def _say_unruled(weights: FeedbackWeights, *parts: Interactions) -> None:
    for part in parts:
        for event, count in weights.unruled(part).items():
            what = f"event type '{event}' has no rule: its {count:,} rows count nothing"
            say(f"{what}; see [events.{event}] in the README")


def _moment(text: str) -> int:
    """ISO 8601 to microseconds since 1970."""
    from data.readers.cells import BadCell, time_of

    try:
        return time_of(text)
    except BadCell as fault:
        raise DataError(
            f"--at {text!r} is no time: {fault}", do="write it as 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from fault


def _read(name: str, columns: Mapping[str, str] | None) -> Interactions:
    from data import readers

    interactions, bad = readers.read_all(Path(name), columns=columns)
    if bad:
        say(f"{name}: {len(bad):,} bad rows left out, the first on line {bad[0].line}: {bad[0].reason}")
    if not len(interactions):
        raise DataError("there is no row to evaluate on", where=name)
    return interactions
