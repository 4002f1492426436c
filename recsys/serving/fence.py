"""The fence: the highest token handed out to a night. Who holds an older one may no longer publish."""

from __future__ import annotations

from pathlib import Path

from recsys.errors import DamagedBundle
from recsys.serving.files import replace_file

NAME = "fence"


def read_fence(folder: Path) -> int:
    """0 before the first. DamagedBundle when it cannot be read."""
    try:
        return int((folder / NAME).read_bytes())
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise DamagedBundle(
            "the fence cannot be read", where=str(folder / NAME), do="remove it while no night runs"
        ) from error


def raise_fence(folder: Path) -> int:
    """The next token; on the disk when this returns."""
    token = read_fence(folder) + 1
    replace_file(folder / NAME, str(token).encode())
    return token
