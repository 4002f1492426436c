"""What the tests of the benchmarks share: measurements made in this process, for speed."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from benchmarks.process import peak

Alone = Callable[..., dict[str, Any]]


@pytest.fixture
def here() -> Alone:
    """In the place of ``alone``: the same arguments and results, through JSON as they would go."""

    def call(module: str, arguments: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        found = importlib.import_module(module).measure(**json.loads(json.dumps(dict(arguments))))
        return json.loads(json.dumps({**found, "peak": peak()}))

    return call
