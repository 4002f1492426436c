"""Nights: what every night did, step by step, what it decided and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, func, insert, select, update

from data.changes import now
from data.engine import rows_of, to_json
from data.tables import Night, NightStep, Verdict
from data.transactions import lane_of, writing
from data.writes import storable
from recsys.errors import Fenced

JUDGED = ("promote", "keep", "inconclusive")  # decisions of a question that could have ended in a promotion
SILENT = "it ended without a word"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of a night. started: microseconds since 1970-01-01 UTC. seconds: it took, or has taken so far."""

    name: str
    status: str
    started: int
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """What a night decided about a model. champion, challenger: versions; None: there was none, or it has no name.

    level: the chance of a false promotion that the question cost. at: microseconds since 1970-01-01 UTC.
    """

    night: int
    model: str
    champion: str | None
    challenger: str | None
    decision: str
    reason: str
    figures: Any
    level: float
    at: int


@dataclass(frozen=True, slots=True)
class NightRecord:
    """One night. status: running, done or failed. Times in microseconds since 1970-01-01 UTC. facts: a JSON object."""

    id: int
    token: int
    started: int
    ended: int | None
    status: str
    decision: str | None
    reason: str | None
    facts: Mapping[str, Any]
    steps: Sequence[StepRecord] = ()
    verdicts: Sequence[VerdictRecord] = ()


class Nights:
    """The nights of one store. Every method raises StoreError, and SchemaMismatch, as those of the store do.

    Whoever began a night here writes about it only for as long as no other has closed or resumed it: then `step`,
    `verdict` and `end` raise Fenced. In texts, what no engine can hold is escaped; in figures and facts, numbers that
    are not finite become null.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tokens: dict[int, int] = {}

    def begin(self, token: int, resume: int | None = None) -> int:
        """The id of a night that now runs under a token; of the one that runs under it already, where one does.

        resume: the id of an earlier night to go on with, its steps and verdicts kept; where it is no longer there, a
        new one begins. Other nights that are still said to run have been killed: they are closed as failed.
        """
        with writing(self._engine) as connection:
            others = (
                (Night.status == "running") & (Night.token != token) & (Night.id != (-1 if resume is None else resume))
            )
            killed = select(Night.id).where(others)
            left = (NightStep.status == "running") & NightStep.night_id.in_(killed)
            connection.execute(update(NightStep).where(left).values(status="failed"))
            connection.execute(update(Night).where(others).values(status="failed", ended=now(), reason=SILENT))
            mine = (Night.token == token) & (Night.status == "running")
            night = connection.execute(select(func.max(Night.id)).where(mine)).scalar_one()
            if night is None and resume is not None:
                fresh = {"token": token, "status": "running", "ended": None, "decision": None, "reason": None}
                if connection.execute(update(Night).where(Night.id == resume).values(fresh)).rowcount:
                    night = resume
            if night is None:
                row = insert(Night).values(token=token, started=now(), status="running", facts={})
                night = connection.execute(row.returning(Night.id)).scalar_one()
        self._tokens[night] = token
        return int(night)

    def step(self, night: int, name: str, status: str, seconds: float = 0.0, detail: str = "") -> None:
        """Say how a step of a night is doing. Under "running" it starts now; else it keeps its start, or started
        ``seconds`` ago."""
        self._write(
            night,
            "insert into night_steps (night_id, name, status, started, seconds, detail)"
            " values (:night, :name, :status, :started, :seconds, :detail) on conflict (night_id, name) do update set"
            " status = excluded.status, seconds = excluded.seconds, detail = excluded.detail,"
            " started = case when excluded.status = 'running' then excluded.started else night_steps.started end",
            name=name,
            status=status,
            started=now() - round(seconds * 1e6),
            seconds=float(seconds),
            detail=storable(detail),
        )

    def verdict(
        self,
        night: int,
        model: str,
        champion: str | None,
        challenger: str | None,
        decision: str,
        reason: str,
        figures: Any,
        level: float,
        spent_at: int | None = None,
    ) -> None:
        """Keep what was decided about a model, once a night: one that goes on and decides again takes the place of its
        earlier verdict. spent_at: when, in microseconds; None: now."""
        self._write(
            night,
            "insert into verdicts (night_id, model, champion, challenger, decision, reason, figures, level, at)"
            " values (:night, :model, :champion, :challenger, :decision, :reason, :figures, :level, :at)"
            " on conflict (night_id, model) do update set champion = excluded.champion,"
            " challenger = excluded.challenger, decision = excluded.decision, reason = excluded.reason,"
            " figures = excluded.figures, level = excluded.level, at = excluded.at",
            model=model,
            champion=champion,
            challenger=challenger,
            decision=decision,
            reason=storable(reason),
            figures=to_json(_plain(figures)),
            level=float(level),
            at=now() if spent_at is None else spent_at,
        )

    def end(self, night: int, status: str, decision: str | None, reason: str | None, facts: Mapping[str, Any]) -> None:
        """Close a night: done or failed."""
        self._write(
            night,
            "update nights set status = :status, ended = :at, decision = :decision, reason = :reason, facts = :facts"
            " where id = :night",
            status=status,
            at=now(),
            decision=decision,
            reason=None if reason is None else storable(reason),
            facts=to_json(_plain(facts)),
        )

    def recent(self, n: int, status: str | None = None) -> list[NightRecord]:
        """The last n nights, of one status or of any, the newest first; steps in the order in which they started,
        verdicts as they came."""
        wanted = select(*Night.__table__.columns)
        if status is not None:
            wanted = wanted.where(Night.status == status)
        nights = rows_of(self._engine, wanted.order_by(Night.id.desc()).limit(n))
        ids = [row.id for row in nights]
        steps: dict[int, list[StepRecord]] = {id_: [] for id_ in ids}
        verdicts: dict[int, list[VerdictRecord]] = {id_: [] for id_ in ids}
        if ids:
            asked = select(*NightStep.__table__.columns).where(NightStep.night_id.in_(ids))
            for night, *step in rows_of(self._engine, asked.order_by(NightStep.started, NightStep.name)):
                steps[night].append(StepRecord(*step))
            said = select(*Verdict.__table__.columns).where(Verdict.night_id.in_(ids))
            for _, night, *verdict in rows_of(self._engine, said.order_by(Verdict.id)):
                verdicts[night].append(VerdictRecord(night, *verdict))
        return [replace(NightRecord(*row), steps=steps[row.id], verdicts=verdicts[row.id]) for row in nights]

    def spent(self, model: str, since: int) -> float:
        """The sum of the levels of a model's verdicts from then on (microseconds) that might have been a promotion."""
        asked = select(func.coalesce(func.sum(Verdict.level), 0.0)).where(
            Verdict.model == model, Verdict.at >= since, Verdict.decision.in_(JUDGED)
        )
        return float(rows_of(self._engine, asked)[0][0])

    def _write(self, night: int, sql: str, **values: Any) -> None:
        with writing(self._engine) as connection:
            found = connection.execute(
                select(Night.token, Night.reason).where(Night.id == night).with_for_update()
            ).one_or_none()
            token = self._tokens.get(night)
            if found is None or (token is not None and (found.token != token or found.reason == SILENT)):
                raise Fenced(
                    f"night {night} is in other hands, or gone", where="the store", do="see `recsys nightly --status`"
                )
            lane_of(connection).each(sql, night=[night], **{name: [value] for name, value in values.items()})


def _plain(value: Any) -> Any:
    """As both engines can hold it inside JSON."""
    if isinstance(value, Mapping):
        return {storable(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return storable(value) if isinstance(value, str) else value
