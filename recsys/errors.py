"""Every exception raised on purpose: each says what was found, where, and what to do about it."""

from __future__ import annotations


class RecsysError(Exception):
    """The one base. ``str()`` gives at most three lines: what, where, what to do.

    ``exit_status`` is what the command line ends with when this error reaches it.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"where: {self.where}")
        if self.do:
            lines.append(f"do: {self.do}")
        return "\n".join(lines)


class SettingError(RecsysError):
    """A setting, an option or a model configuration that cannot be used as given."""

    exit_status = 2


class DataError(RecsysError):
    """A file or a set of interactions that cannot be read or cannot be trained on."""


class UnknownId(RecsysError):
    """An external id that the index, the store or the live model does not hold."""


class NoModel(RecsysError):
    """Nothing has been published yet, or the version or model asked for does not exist."""


class DamagedBundle(RecsysError):
    """A model version on disk whose files are missing, altered, or not what its manifest says."""


class TrainingError(RecsysError):
    """Training cannot go on: the loss is not finite, the data is empty, the device is missing."""


class StoreError(RecsysError):
    """The database cannot be used: unreachable, locked, read-only or full."""


class KeyReused(RecsysError):
    """An Idempotency-Key came again with another request under it."""


class KeyInFlight(RecsysError):
    """A request under the same Idempotency-Key has not ended yet."""


class SchemaMismatch(StoreError):
    """The database has another schema version than this code."""


class AlreadyRunning(RecsysError):
    """Another process holds the lock for this work."""

    exit_status = 75


class Forgotten(RecsysError):
    """A model version learnt from somebody who has been forgotten since: it does not go live, or not again."""


class Moved(RecsysError):
    """What is live was changed by somebody else since it was looked at."""


class BeginAnew(RecsysError):
    """A night's work rests on what no longer holds: it has to begin anew."""


class Fenced(RecsysError):
    """Whoever wants to publish was taken for dead, and another has taken over since."""
