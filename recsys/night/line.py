"""The line of one night: snapshot, checks, matrix, train, judge, publish or keep, lists, report, notify."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from recsys.candidate import train_candidate
from recsys.errors import DamagedBundle, DataError, Forgotten, NoModel, RecsysError, TrainingError
from recsys.evaluation.checks.check import Check
from recsys.gate.spending import DAYS, level_tonight
from recsys.gate.verdict import Verdict, refused
from recsys.night.bench import judged
from recsys.night.checks import Reading, check_data, facts_of
from recsys.night.material import Material
from recsys.night.plan import Plan, Tell, World
from recsys.night.steps import Done, Steps
from recsys.recommender import Checkpoint, FitOptions, Progress
from recsys.serving.registry import ModelRegistry


class SomebodyLeft(RecsysError):
    """Somebody was forgotten while the night was at work on a snapshot that holds them: it has to begin anew."""


class Line:
    """One night's way from the store to what is live. Every step may be the last one before a kill: the next night with
    the same journal goes on behind the last step that was done, and ends with the same bytes.

    folder: for what is kept between the steps. token: for the registry, which lets the holder of the highest publish.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        registry: ModelRegistry,
        folder: Path,
        steps: Steps,
        tell: Tell,
        token: int,
        night: int | None,
    ) -> None:
        self.plan, self.world, self.registry = plan, world, registry
        self.folder, self.steps, self.tell = folder, steps, tell
        self.token, self.night = token, night
        self.candidates = ModelRegistry(folder / "models") if plan.dry_run else registry
        self._journal = steps.journal
        self._reading: Reading | None = None

    def run(self) -> dict[str, Any]:
        """Plain facts of the whole night, as its report has them."""
        material = self._material()
        for name in self.plan.models:
            self.steps.run(f"train {name}", partial(self._train, name, material))
        for name in self.plan.models:
            self.steps.run(f"judge {name}", partial(self._judge, name, material))
        self.steps.run("publish", self._publish)
        if not self.plan.dry_run:
            self.steps.run("lists", self._lists)
            self.steps.run("report", self._report)
        return self.facts()

    def facts(self) -> dict[str, Any]:
        """What is known so far: steps, data, checks, verdicts, what was published, lists."""
        steps = self._journal.steps()
        result = {name: one["result"] for name, one in steps.items()}
        return {
            "night": self.night,
            "begun": self._journal.facts.get("begun"),
            "dry_run": self.plan.dry_run,
            "steps": [
                {"name": name, "seconds": one["seconds"], "detail": one["detail"]} for name, one in steps.items()
            ],
            "data": result.get("snapshot"),
            "checks": result.get("checks", []),
            "material": result.get("matrix"),
            "verdicts": {name: result[f"judge {name}"] for name in self.plan.models if f"judge {name}" in result},
            "published": result.get("publish"),
            "lists": result.get("lists"),
            "report": result.get("report"),
        }

    # The data

    def _material(self) -> Material:
        place, fresh = self.folder / "material", not self._journal.done("matrix")
        self.steps.run("snapshot", self._snapshot, again=fresh)
        self.steps.run("checks", self._checks, again=fresh)
        self.steps.run("matrix", partial(self._matrix, place))
        self._reading = None
        return Material.load(place)

    def _snapshot(self) -> Done:
        forgettings = self.registry.forgettings()  # before the reading: whoever is forgotten after it is noticed
        self._reading = self.world.read()
        facts = {**facts_of(self._reading), "forgettings": forgettings}
        return Done(facts, f"{facts['events']:,} events, {facts['users']:,} people, {facts['items']:,} items")

    def _checks(self) -> Done:
        reading = self._read()
        labels = reading.interactions.item.labels.tolist()
        found = check_data(facts_of(reading), self.world.earlier(8), self._live_items(), labels)
        failed = [check for check in found if check.status == "fail"]
        if failed and not self.plan.accept_data:
            raise DataError(
                f"the data are not fit to learn from: {failed[0].name}? {failed[0].detail}",
                where="; ".join(f"{check.name}? {check.detail}" for check in failed[1:]),
                do="find out why; if it is as it should be: `recsys nightly --accept-data`",
            )
        odd = [check for check in found if check.status != "ok"]
        for check in odd:
            self.tell(f"warning: {check.name}? {check.detail}")
        return Done([asdict(check) for check in found], _in_words(found))

    def _matrix(self, place: Path) -> Done:
        plan = self.plan
        material = Material.of(self._read().interactions, plan.weights, plan.min_user, plan.min_item, share=plan.share)
        material.save(place)
        apart = 0 if material.panel is None else len(material.panel.users)
        facts = {**material.card(), "apart": apart}
        learnt = material.learnt
        detail = f"{len(learnt.users):,} users, {len(learnt.items):,} items, {learnt.matrix.nnz:,} preferences"
        return Done(facts, f"{detail}; {apart:,} people more are kept apart to judge by")

    def _read(self) -> Reading:
        if self._reading is None:  # the steps before were done by a night that was cut off here
            self._reading = self.world.read()
        return self._reading

    def _live_items(self) -> list[str]:
        try:
            release = self.registry.live()
            return [str(id_) for id_ in self.registry.load(release.version(release.default)).items.ids]
        except (NoModel, DamagedBundle):
            return []

    # The models

    def _train(self, name: str, material: Material) -> Done:
        plan, watch = self.plan, self.world.watch(name)

        def on_progress(progress: Progress) -> None:
            watch(progress)
            self.steps.beat()

        checkpoint = Checkpoint(self.folder / "checkpoints" / name, seconds=plan.checkpoint_seconds)
        options = FitOptions(device=plan.device, seed=plan.seed, on_progress=on_progress, checkpoint=checkpoint)
        try:
            bundle = train_candidate(name, dict(plan.models[name]), material.learnt, options, material.card())
            forgettings = None if plan.dry_run else self._journal.result("snapshot")["forgettings"]
            [version] = self.candidates.add([bundle], forgettings)
        except (TrainingError, DamagedBundle, DataError, ArithmeticError) as error:
            why = error.what if isinstance(error, RecsysError) else f"{type(error).__name__}: {error}"
            return Done({"version": None, "why": why}, f"failed: {why}")
        if self._somebody_left():  # asked after it was added: whoever is forgotten from here on marks it
            self._remove(version)
            raise SomebodyLeft("somebody was forgotten while the models learnt")
        return Done({"version": version, "why": None}, f"{version}, {bundle.card['parameters']:,} parameters")

    def _judge(self, name: str, material: Material) -> Done:
        trained = self._journal.result(f"train {name}")
        version, champion = trained["version"], self._live().get(name)
        spent = self.world.ledger.spent(name, int((time.time() - DAYS * 86_400) * 1e6))
        level = level_tonight(spent, self.plan.rules)
        anchor = None
        if version is None:
            verdict: Verdict = refused(trained["why"])
        else:
            verdict, anchor = judged(self, version, champion, material, level)
        cost = verdict.level if isfinite(verdict.level) else 0.0  # a challenger that was refused had no test
        found = {**verdict.as_dict(), "champion": champion, "challenger": version, "anchor": anchor}
        if not self.plan.dry_run:
            if version is not None and version != champion:
                self.registry.write_verdict(version, found)
            if self.night is not None:
                self.world.ledger.verdict(
                    self.night, name, champion, version, verdict.decision, verdict.reason, found, cost
                )
        return Done(found, f"{verdict.decision}: {verdict.reason}")

    def _publish(self) -> Done:
        verdicts = {name: self._journal.result(f"judge {name}") for name in self.plan.models}
        live = self._live()
        promoted = {name: one["challenger"] for name, one in verdicts.items() if one["decision"] == "promote"}
        if self.plan.dry_run:
            return Done({"live": live, "promoted": promoted}, "a dry run: nothing was changed")
        todo = [version for name, version in promoted.items() if live.get(name) != version]
        self.steps.beat(force=True)
        if todo:
            if self._somebody_left():
                raise SomebodyLeft("somebody was forgotten before the models were published")
            try:
                self.registry.go_live(todo, fence=self.token)
            except Forgotten as error:
                raise SomebodyLeft("somebody was forgotten before the models were published") from error
        live = self._live()
        for one in verdicts.values():
            version = one["challenger"]
            if one["decision"] == "refused" and version is not None:
                self._remove(version)
        anchors = {one["anchor"] for one in verdicts.values()} - {None}
        removed = self.registry.prune(self.plan.keep, spare=anchors)
        said = ", ".join(promoted.values()) + " now live" if promoted else "what was live stays"
        return Done({"live": live, "promoted": promoted, "removed": removed}, said)

    def discard(self) -> None:
        """Remove the candidates of a night that has to begin anew."""
        for name in self.plan.models:
            if self._journal.done(f"train {name}"):
                self._remove(self._journal.result(f"train {name}")["version"])

    def _remove(self, version: str | None) -> None:
        """Remove a candidate, unless it is a version that has to stay: the same bytes may have been there before."""
        rows = {row["version"]: row for row in self.candidates.describe()}
        if version in rows and not rows[version]["live"] and not rows[version]["previous"]:
            self.candidates.remove(str(version))

    def _live(self) -> Mapping[str, str]:
        try:
            return dict(self.registry.live().models)
        except NoModel:
            return {}

    def _somebody_left(self) -> bool:
        """From the store, or, as far as the registry knows, from anything that may have been learnt from."""
        before = self._journal.result("snapshot")
        now = (self.world.forgotten(), self.registry.forgettings())
        return now != (before["forgotten"], before["forgettings"])

    # What others read

    def _lists(self) -> Done:
        if not self._live():
            return Done(None, "nothing is live, so there are no lists to make")
        found = self.world.lists(self.steps.beat)
        return Done(found, f"the lists of {found['people']:,} active people, {found['churn']['text']}")

    def _report(self) -> Done:
        place = self.world.report(self.facts())
        return Done(str(place), str(place))


def _in_words(checks: list[Check]) -> str:
    counts = {status: sum(check.status == status for check in checks) for status in ("ok", "warn", "fail")}
    odd = f", {counts['warn']} warnings" if counts["warn"] else ""
    return f"{counts['ok']} ok{odd}" + (f", {counts['fail']} failed and accepted" if counts["fail"] else "")
