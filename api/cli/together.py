"""Under torchrun several processes run one command: they train together, and the first alone speaks and writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import click


def first_of_all(device: str) -> bool:
    """Meet the processes that torchrun started beside this one, until the command ends; is this the first of them?

    Without torchrun it is the only one. The others compute alike but are mute, and have to leave the command before
    anything is written. Raises TrainingError when the processes cannot meet.
    """
    first: bool = click.get_current_context().with_resource(_together(device))
    return first


@contextmanager
def _together(device: str) -> Iterator[bool]:
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # torchrun's mark on what it starts; to ask torch would import it
        yield True
        return
    from recsys.training.distributed import joined

    with joined(device) as processes:
        if processes.first:
            yield True
            return
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield False
