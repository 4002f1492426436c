"""fingerprint: 64 bits that are equal for the same event and, for all practical purposes, for no other one."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from recsys.interactions import Interactions


def fingerprints(interactions: Interactions) -> np.ndarray:
    """(n,) int64, within one user and item: of the sender's key where there is one, else of (event, value, time).

    Stored in the database: a change here makes every old event a new one. Strings go through BLAKE2b, numbers through
    the finaliser of splitmix64 (Steele, Lea, Flood 2014: "Fast splittable pseudorandom number generators"), columns
    whole. Two different events of one user on one item collide with probability 2^-64.
    """
    event = np.array([_of_text(label, b"event") for label in interactions.event.labels.tolist()], dtype=np.uint64)
    value = interactions.value + 0.0  # -0.0 and 0.0 are one value
    value[np.isnan(value)] = np.nan  # and so are all NaNs: no value
    mixed = _mixed(value.view(np.uint64))
    mixed += interactions.time.view(np.uint64)
    mixed = _mixed(mixed)
    mixed += event[interactions.event.codes] if len(event) else np.uint64(0)
    result = _mixed(mixed).view(np.int64)
    if interactions.key is not None:
        keyed = np.flatnonzero(interactions.key != "")
        texts = interactions.key[keyed].tolist()
        result[keyed] = np.array([_of_text(text, b"key") for text in texts], dtype=np.uint64).view(np.int64)
    return result


def _of_text(text: str, kind: bytes) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8, person=kind).digest(), "little")


def _mixed(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
