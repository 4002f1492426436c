"""Releases: which versions are live together, which were before, and what a person who went back said with that."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from recsys.errors import DamagedBundle, Moved, NoModel, RecsysError
from recsys.serving.versions import is_version, parts_of

KEPT = 100  # releases, and digests of versions that were rolled back


@dataclass(frozen=True, slots=True)
class Release:
    """What is live together. sequence: grows by one at every change. models: model name -> version."""

    sequence: int
    models: Mapping[str, str]
    default: str

    def version(self, name: str) -> str:
        """The live version of a model. NoModel names those there are."""
        if name not in self.models:
            raise NoModel(f"no live model is called {name!r}", do=f"ask for one of: {', '.join(sorted(self.models))}")
        return self.models[name]


@dataclass(frozen=True, slots=True)
class Hold:
    """A person went back: no night promotes anything until a person says so. since: ISO 8601. versions: left behind."""

    since: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Releases:
    """All that the pointer's file says: past, oldest first, the last one live; hold; rolled_back, digests (12 hex), the
    latest last. Frozen: every change makes another value, which is swapped in whole."""

    past: tuple[Release, ...] = ()
    hold: Hold | None = None
    rolled_back: tuple[str, ...] = ()

    @property
    def live(self) -> Release:
        """Of nothing published yet an empty one."""
        return self.past[-1] if self.past else Release(0, {}, "")

    @property
    def previous(self) -> Release | None:
        """What a rollback goes back to."""
        return self.past[-2] if len(self.past) > 1 else None

    @property
    def needed(self) -> set[str]:
        """The versions that are live, and those that a rollback brings back."""
        return {version for release in self.past[-2:] for version in release.models.values()}

    def with_live(self, versions: Sequence[str], default: str | None, by_person: bool) -> Self:
        """With these live for their models. What changes nothing is no new release: going back
        from a release always changes something.

        by_person: the hold is lifted, and what was rolled back is forgiven. NoModel for a default that is not live.
        """
        changed = {parts_of(version)[1]: version for version in versions}
        models = {**self.live.models, **changed}
        release = Release(self.live.sequence + 1, models, default or self.live.default or next(iter(changed), ""))
        release.version(release.default)
        same = (release.models, release.default) == (self.live.models, self.live.default)
        found = replace(self, past=self.past if same else (*self.past, release)[-KEPT:])
        if not by_person:
            return found
        digests = {parts_of(version)[2] for version in versions}
        return replace(found, hold=None, rolled_back=tuple(one for one in self.rolled_back if one not in digests))

    def check_live(self, wanted: Mapping[str, str | None]) -> None:
        """Moved where another version of a model is live than the one named, or any where it is None."""
        moved = [model for model, version in wanted.items() if self.live.models.get(model) != version]
        if moved:
            raise Moved(f"another version of {', '.join(moved)} is live by now", do="look again, then decide")

    def check_night(self, versions: Iterable[str]) -> None:
        """Raises RecsysError when a person's going back keeps a night from putting these live."""
        back = [version for version in versions if parts_of(version)[2] in self.rolled_back]
        if self.hold is not None or back:
            since = f" at {self.hold.since}" if self.hold else ""
            raise RecsysError(
                f"a person went back to an earlier release{since}: no night undoes that",
                where=", ".join(back),
                do="promote a version by hand" + (", or `recsys models resume`" if self.hold else ""),
            )

    def gone_back(self, at: str, unfit: Collection[str] = ()) -> Self:
        """The newest release before the live one without an unfit version is live again, without a better one just the
        one before; what came after it is no longer there to come back, and there is a hold. NoModel when there is none
        before."""
        if len(self.past) < 2:
            raise NoModel("there is no release before the live one", do="promote a version instead")
        others = [(k, one.models) for k, one in enumerate(self.past[:-1]) if one.models != self.live.models]
        fit = [k for k, models in others if not set(unfit) & set(models.values())]
        place = fit[-1] if fit else len(self.past) - 2
        before = self.past[place]
        left = tuple(sorted(set(self.live.models.values()) - set(before.models.values())))
        digests = [parts_of(version)[2] for version in left]
        rolled_back = (*(one for one in self.rolled_back if one not in digests), *digests)[-KEPT:]
        restored = Release(self.live.sequence + 1, before.models, before.default)
        return replace(self, past=(*self.past[:place], restored), hold=Hold(at, left), rolled_back=rolled_back)

    def without(self, versions: Collection[str]) -> Self:
        """Without the past releases that name any of these: a rollback goes to one whose versions are all there."""
        return replace(self, past=tuple(one for one in self.past if not set(versions) & set(one.models.values())))

    def as_bytes(self) -> bytes:
        found: dict[str, Any] = {"releases": [asdict(release) for release in self.past]}
        if self.hold is not None:
            found["hold"] = asdict(self.hold)
        return json.dumps({**found, "rolled_back": self.rolled_back}, indent=1).encode()

    @classmethod
    def read(cls, pointer: Path) -> Self:
        """NoModel when nothing has been published, DamagedBundle when the file cannot be read."""
        try:
            return cls.parse(pointer.read_bytes())
        except FileNotFoundError as error:
            raise NoModel(
                "no model has been published yet", where=str(pointer.parent), do="run `recsys train --publish`"
            ) from error
        except (OSError, ValueError) as error:
            raise DamagedBundle(
                "the live pointer cannot be read", where=str(pointer), do="remove it and promote"
            ) from error

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """What ``as_bytes`` wrote, or an older version of it that knew releases only. ValueError for anything else."""
        try:
            found = json.loads(raw)
            past = tuple(Release(r["sequence"], dict(r["models"]), r["default"]) for r in found["releases"])
            held = found.get("hold")
            hold = None if held is None else Hold(str(held["since"]), tuple(map(str, held["versions"])))
            rolled_back = tuple(map(str, found.get("rolled_back", ())))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("it does not say what is live") from error
        sound = bool(past) and all(is_version(v) for release in past for v in release.models.values())
        if not sound or past[-1].default not in past[-1].models:
            raise ValueError("what it says is live cannot be")
        return cls(past, hold, rolled_back)
