"""Pseudonyms: how log lines name users, so that whoever is forgotten cannot be found in old ones."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from recsys.errors import SettingError

How = Literal["pseudonym", "plain", "none"]
KEY_FILE = "log.key"
_KEY_BYTES = 32
_SHOWN_BYTES = 8


def naming(how: How, home: Path) -> Callable[[str], str]:
    """What a log line says for a user's id: a pseudonym, the id itself, or "" for nothing.

    A pseudonym is the first 16 hex digits of HMAC-SHA256 under a key that lies in home, made when first needed: the
    same for the same id in all processes, and not to be computed without the key. SettingError where there is no key
    and none can be made.
    """
    if how == "none":
        return lambda user: ""
    if how == "plain":
        return lambda user: user
    key = _key(home / KEY_FILE)
    return lambda user: (
        hmac.digest(key, user.encode("utf-8", "surrogatepass"), "sha256")[:_SHOWN_BYTES].hex() if user else ""
    )


def _key(file: Path) -> bytes:
    try:
        if not file.exists():
            _make(file)
        key = file.read_bytes()
    except OSError as error:
        raise SettingError(
            f"the key for users' pseudonyms in log lines cannot be read or made: {error.strerror or error}",
            where=str(file),
            do="make its folder writable once, or set log_users to none",
        ) from error
    if len(key) != _KEY_BYTES:
        raise SettingError(
            f"the key for users' pseudonyms in log lines has {len(key)} bytes, not {_KEY_BYTES}",
            where=str(file),
            do="put it back, or remove it: a new one is made, under which nobody has the pseudonym they had",
        )
    return key


def _make(file: Path) -> None:
    """Whole or not at all, and once: of several processes that make it together the first one's stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(_KEY_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
        os.link(own, file)  # fails where there is one
    except FileExistsError:
        return
    finally:
        own.unlink(missing_ok=True)
