"""What can be wrong with a split before anything is trained."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.checks.check import Check, Status, graded
from recsys.evaluation.protocols.rows import among, rows_of
from recsys.evaluation.split import Split
from recsys.interactions import NO_TIME, iso_time
from recsys.matrix import Index

_BY_TIME = ("temporal", "rolling")
_LONG = 5  # items from which on two people with the same history are hardly a coincidence
_CHANCE = 0.01  # people expected to have one's very history: from here on it says nothing that somebody has


def check_split(split: Split, earlier: int | None = None) -> list[Check]:
    """earlier: how many reports with other settings there are on this very test part; None: nobody counted."""
    checks = [
        _time(split),
        _users_apart(split),
        _nothing_given_away(split),
        _nothing_trained_away(split),
        _nobody_twice(split),
        _items_known(split),
        _choices_apart(split),
    ]
    return checks if earlier is None else [*checks, _first_look(earlier)]


def _time(split: Split) -> Check:
    """Fails where the protocol promises an order in time; elsewhere the share says how much the future helps."""
    name, must = "time order", split.name in _BY_TIME
    if split.hidden_times is None or split.latest_trained is None:
        return Check(name, "warn" if must else "ok", "no times: what is hidden may be older than what is trained on")
    known, latest = split.hidden_times != NO_TIME, split.latest_trained
    early = known & (split.hidden_times <= latest if must else split.hidden_times < latest)
    if must and early.any():
        detail = f"models know the future: {early.sum():,} of {len(early):,} hidden interactions are not later than "
        return Check(name, "fail", f"{detail}the latest trained on, {iso_time(latest)}")
    if split.last_given is not None and split.name in (*_BY_TIME, "leave-last-out"):
        row = np.repeat(np.arange(split.hidden.shape[0]), np.diff(split.hidden.indptr))
        own = known & (split.hidden_times < split.last_given[row])
        if own.any():
            return Check(name, "fail", f"{own.sum():,} hidden interactions are older than what the same user gives")
    share = early.sum() / max(int(known.sum()), 1)
    detail = f"{share:.1%} of hidden interactions are older than the latest trained on, {iso_time(latest)}"
    if split.name == "strong":
        return Check(name, "ok", f"{detail}, as this protocol means it: about the future asks the protocol temporal")
    return Check(
        name, "warn" if early.any() else "ok", f"{detail}: models know what was liked later" if share else detail
    )


def _users_apart(split: Split) -> Check:
    both = len(set(split.train_users) & set(split.users))
    detail = f"{both:,} of {len(split.users):,} test users have a history in the training part"
    if split.name == "strong":
        return Check("users apart", "fail" if both else "ok", detail)
    return Check("users apart", "ok", f"{detail}, as this protocol means it")


def _nothing_given_away(split: Split) -> Check:
    both = int(among(split.hidden, split.given).sum())
    detail = f"{both:,} of {split.hidden.nnz:,} hidden interactions are also given"
    return Check("hidden stays hidden", "fail" if both else "ok", detail)


def _nothing_trained_away(split: Split) -> Check:
    """A pair in training and among what that very person is asked for, in the test or in validation."""
    name = "hidden is not trained on"
    if len(split.train_users) != split.train.shape[0]:
        return Check(name, "warn", "the training rows have no names, so nobody knows whose they are")
    trained = Index.of(split.train_users, noun="user")
    tested = _in_both(split.hidden, split.users, split.train, trained)
    detail = f"{tested:,} of {split.hidden.nnz:,} hidden interactions are in the same user's training history"
    held = split.validation
    if held is None or len(split.validation_users) != held.hidden.shape[0]:
        return Check(name, "fail" if tested else "ok", detail)
    chosen = _in_both(held.hidden, split.validation_users, split.train, trained)
    detail += f", and {chosen:,} of {held.hidden.nnz:,} of validation"
    return Check(name, "fail" if tested or chosen else "ok", detail)


def _nobody_twice(split: Split) -> Check:
    """A person under two names: whole histories of `_LONG` items or more that somebody in training has exactly.

    Of few items many people take the same ones by chance: those do not count.
    """
    whole = csr_matrix(split.given + split.hidden)
    asked = np.isin(_fingerprints(whole), _fingerprints(split.train)) & (np.diff(whole.indptr) >= _LONG)
    twice = int((_by_chance(whole[np.flatnonzero(asked)], split.train) < _CHANCE).sum())
    status = graded(twice / max(len(split.users), 1), 0.01, 0.1)
    detail = f"{twice:,} of {len(split.users):,} test users have exactly the history of somebody trained on"
    return Check("nobody twice", status, detail)


def _by_chance(rows: csr_matrix, train: csr_matrix) -> np.ndarray:
    """(n,) how many training users would have exactly a row's items if each were taken by its popularity alone; 1 where
    that is more."""
    n = max(train.shape[0], 1)
    share = np.clip(np.bincount(train.indices, minlength=train.shape[1]) / n, 0.5 / n, 1 - 0.5 / n)
    odds = np.log(share) - np.log1p(-share)
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    taken = np.bincount(row, weights=odds[rows.indices], minlength=rows.shape[0])
    return np.exp(np.minimum(np.log(n) + np.log1p(-share).sum() + taken, 0.0))


def _items_known(split: Split) -> Check:
    """Warns from one in a hundred: a model cannot find what nobody in training touched, yet it counts as missed."""
    known = np.zeros(split.train.shape[1], dtype=bool)
    known[split.train.indices] = True
    unknown = int((~known[split.hidden.indices]).sum())
    detail = f"{unknown:,} of {split.hidden.nnz:,} hidden interactions are with items nobody in training has"
    detail += "; they count as missed" if unknown else ""
    return Check("items known", "warn" if unknown > 0.01 * split.hidden.nnz else "ok", detail)


def _choices_apart(split: Split) -> Check:
    """Was anything chosen by what the test asks for: by the same pairs or, with held-out users, by the same users?"""
    name, held = "choices apart from the test", split.validation
    if held is None:
        return Check(name, "ok", "there is no validation part: nothing is chosen by held-out data")
    if len(split.validation_users) != held.hidden.shape[0]:
        return Check(name, "warn", "the validation rows have no names, so nobody knows whose they are")
    tested = Index.of(split.users, noun="user")
    pairs = _in_both(held.hidden, split.validation_users, split.hidden, tested)
    detail = f"{pairs:,} of {held.hidden.nnz:,} interactions chosen by are asked for in the test"
    if split.name != "strong":
        return Check(name, "fail" if pairs else "ok", detail)
    both = len(set(split.validation_users) & set(split.users))
    status: Status = "fail" if pairs or both else "ok"
    return Check(name, status, f"{detail}; {both:,} validation users are test users")


def _first_look(earlier: int) -> Check:
    if not earlier:
        return Check("first look at the test", "ok", "no earlier report with other settings asked these questions")
    reports = "report" if earlier == 1 else "reports"
    return Check(
        "first look at the test",
        "warn",
        f"{earlier:,} earlier {reports} with other settings asked these very questions: the more looks, the more the "
        "best looks better than it is",
    )


def _in_both(part: csr_matrix, users: tuple[str, ...], other: csr_matrix, others: Index) -> int:
    """How many (user, item) pairs of the part the other part holds, too."""
    return int(among(part, rows_of(other, others.find(users))).sum())


def _fingerprints(rows: csr_matrix) -> np.ndarray:
    """(n,) uint64, equal for rows of the same items: the sum of a random number of each item, modulo 2^64."""
    numbers = np.random.default_rng(0).integers(0, 2**64, rows.shape[1], dtype=np.uint64)
    upto = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(numbers[rows.indices], dtype=np.uint64)])
    return upto[rows.indptr[1:]] - upto[rows.indptr[:-1]]
