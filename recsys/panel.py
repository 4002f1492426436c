"""The panel: the people no version learns from, so that every version, of any night, can be judged by them.

They are asked about and answered like everybody else: a model never needs to have learnt from whom it scores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

SHARE = 0.1
FEWEST_PEOPLE = 200  # of all people: below, a tenth of them could not tell anything from anything
MOST_PEOPLE = 5_000
_SALT = b"recsys panel 1 "


def share_for(n_users: int, share: float = SHARE) -> float:
    """The share of ``n_users`` people that is kept apart: ``share``, halved until it is at most MOST_PEOPLE of them.

    0 of fewer than FEWEST_PEOPLE. Nothing of the past is in it: the same people are chosen whatever was there before.
    """
    if n_users < FEWEST_PEOPLE:
        return 0.0
    while share * n_users > MOST_PEOPLE:
        share /= 2
    return share


def on_panel(ids: Iterable[str], share: float) -> np.ndarray:
    """(k,) bool: who is kept apart. By the id alone; whoever is at a share is at every larger one."""
    return halvings(ids, share) >= 0


def halvings(ids: Iterable[str], share: float) -> np.ndarray:
    """(k,) int8: how often a share can be halved with this person still on the panel; -1: not on it at all.

    It tells nobody's id, and says of somebody without one whether they are on the panel of another version.
    """
    found = (hashlib.blake2b(_SALT + id_.encode("utf-8", "replace"), digest_size=8).digest() for id_ in ids)
    place = np.fromiter((int.from_bytes(digest) + 1 for digest in found), dtype=np.float64) / 2.0**64
    if share <= 0:
        return np.full(len(place), -1, dtype=np.int8)
    return np.clip(np.floor(np.log2(share / place)), -1, 100).astype(np.int8)
