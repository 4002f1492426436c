"""Interactions: the columnar value that crosses every border, as it was recorded, before any weighting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from recsys.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("user", "item", "event", "value", "time", "key")
NO_TIME = np.iinfo(np.int64).min  # the same bit pattern as pandas' NaT
MICROSECONDS_PER_DAY = 86_400_000_000


def iso_time(microseconds: int) -> str:
    """A time in microseconds since 1970 as ISO 8601 in UTC, to the second: 2026-01-02T03:04:05Z."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A column of strings as integer codes into distinct labels.

    codes: (n,) int32; labels: (k,) object array of distinct ``str``. Ten million ids cost 40 MB plus each label once.
    """

    codes: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.codes.dtype != np.int32 or self.codes.ndim != 1:
            raise DataError(f"codes must be one int32 column, not {self.codes.dtype} of shape {self.codes.shape}")
        if self.labels.dtype != object or self.labels.ndim != 1:
            raise DataError(f"labels must be one object column of str, not {self.labels.dtype}")

    @classmethod
    def of(cls, values: Iterable[str]) -> Encoded:
        """Encode a sequence of strings; labels keep the order of first appearance."""
        numbers: dict[str, int] = {}
        codes = np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), dtype=np.int32)
        labels = np.empty(len(numbers), dtype=object)
        labels[:] = list(numbers)
        return cls(codes, labels)

    @classmethod
    def constant(cls, label: str, length: int) -> Encoded:
        """One label on every row; the codes are one zero seen ``length`` times, read-only, and take no room."""
        return cls(np.broadcast_to(np.zeros(1, dtype=np.int32), length), np.array([label], dtype=object))

    def __len__(self) -> int:
        return len(self.codes)

    def decode(self) -> np.ndarray:
        """(n,) object array of ``str``."""
        return self.labels[self.codes]


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """What people did, one row an event, n rows.

    user, item, event: `Encoded` external ids and event types.
    value: (n,) float64, NaN where the event carries none.
    time: (n,) int64, microseconds since 1970-01-01 UTC, `NO_TIME` where unknown.
    key: (n,) object array of the sender's own event ids ("" where none), or None when no row has one.
    """

    user: Encoded
    item: Encoded
    event: Encoded
    value: np.ndarray
    time: np.ndarray
    key: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.user)
        for name in ("item", "event", "value", "time", "key"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise DataError(f"column '{name}' has {len(column)} rows, column 'user' has {n}")
        if self.value.dtype != np.float64:
            raise DataError(f"column 'value' must be float64, not {self.value.dtype}")
        if self.time.dtype != np.int64:
            raise DataError(f"column 'time' must be int64 microseconds, not {self.time.dtype}")

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def from_lists(
        cls,
        users: Sequence[str],
        items: Sequence[str],
        events: Sequence[str] | str = "interaction",
        values: Sequence[float] | np.ndarray | None = None,
        times: Sequence[int] | np.ndarray | None = None,
        keys: Sequence[str] | None = None,
    ) -> Interactions:
        n = len(users)
        key = None
        if keys is not None:
            key = np.empty(n, dtype=object)
            key[:] = list(keys)
        return cls(
            user=Encoded.of(users),
            item=Encoded.of(items),
            event=Encoded.constant(events, n) if isinstance(events, str) else Encoded.of(events),
            value=np.full(n, np.nan) if values is None else np.asarray(values, dtype=np.float64),
            time=np.full(n, NO_TIME, dtype=np.int64) if times is None else np.asarray(times, dtype=np.int64),
            key=key,
        )

    @classmethod
    def empty(cls) -> Interactions:
        return cls.from_lists([], [])

    def take(self, rows: np.ndarray) -> Interactions:
        """The rows named by an index array or a boolean mask; labels are kept as they are."""
        return Interactions(
            Encoded(self.user.codes[rows], self.user.labels),
            Encoded(self.item.codes[rows], self.item.labels),
            Encoded(self.event.codes[rows], self.event.labels),
            self.value[rows],
            self.time[rows],
            None if self.key is None else self.key[rows],
        )

    def to_frame(self) -> pd.DataFrame:
        """A DataFrame with exactly COLUMNS: categories for ids, datetime64[us, UTC] for time."""
        import pandas as pd  # kept out of the serving path

        time = pd.Series(self.time.view("datetime64[us]")).dt.tz_localize("UTC")
        return pd.DataFrame(
            {
                "user": pd.Categorical.from_codes(self.user.codes, self.user.labels),
                "item": pd.Categorical.from_codes(self.item.codes, self.item.labels),
                "event": pd.Categorical.from_codes(self.event.codes, self.event.labels),
                "value": self.value,
                "time": time,
                "key": "" if self.key is None else self.key,
            }
        )

    def span(self) -> tuple[int, int] | None:
        """Earliest and latest known time in microseconds, or None when no row has one."""
        known = self.time[self.time != NO_TIME]
        return (int(known.min()), int(known.max())) if len(known) else None
