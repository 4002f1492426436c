"""The line of one night: snapshot, checks, matrix, train, judge, publish or keep, lists, report, notify."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from recsys.candidate import train_candidate
from recsys.errors import BeginAnew, DamagedBundle, DataError, Moved, NoModel, RecsysError, TrainingError
from recsys.gate.spending import DAYS, level_tonight
from recsys.gate.verdict import Verdict, refused
from recsys.night.bench import judged
from recsys.night.checks import Reading, check_data, facts_of, in_words
from recsys.night.material import Material
from recsys.night.plan import Plan, Tell, World
from recsys.night.release import discard, publish
from recsys.night.steps import Done, Steps
from recsys.recommender import Checkpoint, FitOptions, Progress
from recsys.serving.registry import ModelRegistry

MOST_JUDGED = 3  # times: when a person publishes while the night judges


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
        self.journal = steps.journal
        self._reading: Reading | None = None

    def run(self) -> dict[str, Any]:
        """Plain facts of the whole night, as its report has them."""
        material = self._material()
        for name in self.plan.models:
            self.steps.run(f"train {name}", partial(self._train, name, material))
        for again in range(MOST_JUDGED):
            for name in self.plan.models:
                self.steps.run(f"judge {name}", partial(self._judge, name, material))
            try:
                self.steps.run("publish", self._publish)
                break
            except Moved as moved:
                if again == MOST_JUDGED - 1:
                    raise
                self.tell(f"{moved.what}: judging again beside that one")
                for name in self.plan.models:
                    self.journal.undo(f"judge {name}")
        if not self.plan.dry_run:
            self.steps.run("lists", self._lists)
            self.steps.run("report", self._report)
        return self.facts()

    def facts(self) -> dict[str, Any]:
        """What is known so far: steps, data, checks, verdicts, what was published, lists."""
        steps = self.journal.steps()
        result = {name: one["result"] for name, one in steps.items()}
        return {
            "night": self.night,
            "begun": self.journal.facts.get("begun"),
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
        place, fresh = self.folder / "material", not self.journal.done("matrix")
        self.steps.run("snapshot", self._snapshot, again=fresh)
        self.steps.run("checks", self._checks, again=fresh)
        self.steps.run("matrix", partial(self._matrix, place))
        self._reading = None
        try:
            return Material.load(place)
        except DamagedBundle as error:
            raise BeginAnew(f"what was kept of the data cannot be read: {error.what}") from error

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
        return Done([asdict(check) for check in found], in_words(found))

    def _matrix(self, place: Path) -> Done:
        plan = self.plan
        material = Material.of(self._read().interactions, plan.weights, plan.min_user, plan.min_item, share=plan.share)
        self.steps.beat(force=True)  # before anything is written that another night may be using
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
            self.steps.beat(force=True)
            before = self.candidates.versions()
            forgettings = None if plan.dry_run else self.journal.result("snapshot")["forgettings"]
            [version] = self.candidates.add([bundle], forgettings)
        except (TrainingError, DamagedBundle, DataError, ArithmeticError) as error:
            why = error.what if isinstance(error, RecsysError) else f"{type(error).__name__}: {error}"
            return Done({"version": None, "made": False, "why": why}, f"failed: {why}")
        made = version not in before
        if self.somebody_left():  # asked after it was added: whoever is forgotten from here on marks it
            if made:
                self.candidates.remove(version)
            raise BeginAnew("somebody was forgotten while the models learnt")
        return Done(
            {"version": version, "made": made, "why": None}, f"{version}, {bundle.card['parameters']:,} parameters"
        )

    def _judge(self, name: str, material: Material) -> Done:
        trained = self.journal.result(f"train {name}")
        version, champion = trained["version"], self.live().get(name)
        level, anchor = self._level(name), None
        if version is None:
            verdict: Verdict = refused(trained["why"])
        else:
            verdict, anchor = judged(self, version, champion, material, level)
        self.steps.beat(force=True)
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

    def _level(self, name: str) -> float:
        """Of tonight's test, each model having its part of alpha; noted, so that a night that was cut off does not
        count its own verdict as spent."""
        levels = dict(self.journal.facts.get("levels", {}))
        if name not in levels:
            spent = self.world.ledger.spent(name, int((time.time() - DAYS * 86_400) * 1e6))
            rules = replace(self.plan.rules, alpha=self.plan.rules.alpha / len(self.plan.models))
            levels[name] = level_tonight(spent, rules)
            self.journal.note(levels=levels)
        return float(levels[name])

    def _publish(self) -> Done:
        return publish(self, {name: self.journal.result(f"judge {name}") for name in self.plan.models})

    def discard(self) -> None:
        """Remove the candidates of a night that has to begin anew."""
        for name in self.plan.models:
            discard(self, name)

    def live(self) -> Mapping[str, str]:
        try:
            return dict(self.registry.live().models)
        except NoModel:
            return {}

    def somebody_left(self) -> bool:
        """From the store, or, as far as the registry knows, from anything that may have been learnt from."""
        before = self.journal.result("snapshot")
        now = (self.world.forgotten(), self.registry.forgettings())
        return now != (before["forgotten"], before["forgettings"])

    # What others read

    def _lists(self) -> Done:
        if not self.live():
            return Done(None, "nothing is live, so there are no lists to make")
        try:
            found = self.world.lists(self.steps.beat)
        except DamagedBundle as error:
            self.tell(f"warning: no lists were made: {error.what}")
            return Done(None, f"none were made: what is live cannot be read from the disk: {error.what}")
        return Done(found, f"the lists of {found['people']:,} active people, {found['churn']['text']}")

    def _report(self) -> Done:
        place = self.world.report(self.facts())
        return Done(str(place), str(place))
