"""LinearPath: the linear half of the autoencoder's logits, a weighted sum of closed forms and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.linear.closed_form import item_weights
from recsys.linear.filters import ItemToItem, LowPass, Neighbours
from recsys.linear.threads import blas_threads
from recsys.recommender import State

Settings = Mapping[str, Any]  # kind, weight, and what that kind is fitted with; plain values, saved with the model

_SAMPLE = 256  # training rows on which the size of a part's scores is measured


class Part(Protocol):
    """A linear function of histories: (rows, n_items) CSR -> (rows, n_items) float32."""

    def score(self, rows: csr_matrix) -> np.ndarray: ...
    def state(self) -> State: ...


KINDS: Mapping[str, Any] = {"closed-form": ItemToItem, "neighbours": Neighbours, "low-pass": LowPass}


def fit_part(matrix: csr_matrix, settings: Settings, seed: int) -> Part:
    """One part fitted on (n_users, n_items) strengths. SettingError for a kind or a setting there is none of."""
    wanted = {key: value for key, value in settings.items() if key not in ("kind", "weight")}
    kind = settings.get("kind")
    try:
        with blas_threads(min(matrix.shape)):
            if kind == "closed-form":
                return ItemToItem(item_weights(matrix, **wanted))
            if kind == "neighbours":
                return Neighbours.fit(matrix, **wanted)
            if kind == "low-pass":
                return LowPass.fit(matrix, **wanted, seed=seed)
    except TypeError as error:
        raise SettingError(f"the settings of the linear part '{kind}' do not fit: {error}") from error
    raise SettingError(f"no linear part is called '{kind}'", do=f"use one of: {', '.join(KINDS)}")


def spread(part: Part, matrix: csr_matrix) -> float:
    """The mean standard deviation of a row's scores, over the first rows of a matrix: what weights are relative to."""
    return max(float(part.score(matrix[:_SAMPLE]).std(axis=1).mean()), 1e-12)


@dataclass(frozen=True, eq=False)
class LinearPath:
    """score = sum over parts of share * part(x); share = weight / spread, so that weights mean the same on any data."""

    parts: Sequence[Part]
    kinds: Sequence[str]
    shares: Sequence[float]

    @classmethod
    def fit(cls, matrix: csr_matrix, settings: Sequence[Settings], seed: int) -> Self:
        parts = [fit_part(matrix, one, seed) for one in settings]
        shares = [one["weight"] / spread(part, matrix) for one, part in zip(settings, parts, strict=True)]
        return cls(parts, [one["kind"] for one in settings], shares)

    def score(self, rows: csr_matrix) -> np.ndarray:
        """(rows, n_items) float32; an empty history scores zeros."""
        total: np.ndarray | None = None
        for part, share in zip(self.parts, self.shares, strict=True):
            scores = part.score(rows)
            scores *= np.float32(share)
            total = scores if total is None else np.add(total, scores, out=total)
        return total if total is not None else np.zeros(rows.shape, dtype=np.float32)

    def state(self) -> State:
        arrays: State = {"shares": np.array(self.shares, dtype=np.float64)}
        for k, (kind, part) in enumerate(zip(self.kinds, self.parts, strict=True)):
            arrays |= {f"{k}.{kind}.{name}": value for name, value in part.state().items()}
        return arrays

    @classmethod
    def restore(cls, state: State) -> Self:
        grouped: dict[int, tuple[str, State]] = {}
        for key, value in state.items():
            if key == "shares":
                continue
            k, kind, name = key.split(".", 2)
            grouped.setdefault(int(k), (kind, {}))[1][name] = value
        kinds = [grouped[k][0] for k in range(len(grouped))]
        parts = [KINDS[grouped[k][0]].restore(grouped[k][1]) for k in range(len(grouped))]
        return cls(parts, kinds, [float(share) for share in state["shares"]])
