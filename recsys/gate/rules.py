"""Rules: what a challenger must show before it replaces the champion, every margin in one place."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.errors import SettingError
from recsys.evaluation.metrics import metric_to_choose_by


@dataclass(frozen=True)
class Rules:
    """metric: the main one, of hits. margin: how much lower than the champion's it may be, as a share of the
    champion's; a challenger is promoted when a larger loss is ruled out. better: promote only what is shown to be
    better. alpha: the chance, over any year of nights, to promote what is truly worse than that (see
    `recsys.gate.spending`).

    Guards are about what the main metric does not see. A loss beyond the margin must be ruled out for a promotion and
    refuses the challenger when it is shown, both one-sided at guard_level; they are many and block, so they do not
    share alpha. coverage: the share by which fewer items may be in anybody's list of 20. popularity_lift: by how much
    the lists of 20 may lean more to the popular, in mean popularity of the history (0.15: by 15% of it). cold, tail:
    the share by which the main metric may be lower on the quarter with the shortest histories, and recall@100 of the
    items outside those that make up 80% of training. latency, size: at most this times the champion's, for one request
    and in bytes of what was learnt.

    leak: the share of what the champion gains by having learnt the answers, from which on the same gain on people
    nobody may have learnt from says that the challenger has (see `recsys.gate.leaks`).

    The margins are what 601 people of MovieLens 1M can show, at the level that nights settle at. Of the autoencoder's
    retrains, 12 pairs of seeds, the lowest bounds were -3.5% of ndcg@100 (at a margin of 2% 3 of them would pass), -6%
    on the cold, -22% on the tail, -14% of coverage and +0.04 of lift; ALS's are closer. What one promotion loses within
    a margin the next cannot lose again (``anchor`` of `recsys.gate.judge`); more people allow smaller ones. Leaked
    autoencoders were shown to gain 46% of the gap or more, of honest ones that bound was -8% at most.
    """

    metric: str = "ndcg@100"
    margin: float = 0.04
    better: bool = False
    alpha: float = 0.05
    guard_level: float = 0.05
    coverage: float = 0.15
    popularity_lift: float = 0.15
    cold: float = 0.10
    tail: float = 0.25
    latency: float = 2.0
    size: float = 2.0
    leak: float = 0.3

    def __post_init__(self) -> None:
        metric_to_choose_by(self.metric)
        for name in ("margin", "alpha", "guard_level", "coverage", "cold", "tail", "leak"):
            if not 0 < getattr(self, name) < 1:
                raise SettingError(f"{name} must be between 0 and 1, not {getattr(self, name)!r}")
        if not self.popularity_lift > 0:
            raise SettingError(f"popularity_lift must be above 0, not {self.popularity_lift!r}")
        for name in ("latency", "size"):
            if not getattr(self, name) >= 1:
                raise SettingError(f"{name} must be at least 1, not {getattr(self, name)!r}")
