"""earlier_looks: how often a test part has been looked at before, with other models or settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def earlier_looks(folder: Path, test_sha256: str, models: Mapping[str, Mapping[str, Any]]) -> int:
    """The number of reports under ``folder`` on this very test part (`recsys.evaluation.split.asked_about`) in which
    other models or settings were asked for. The same question asked again is no further look: nothing new was tried.
    """
    asked, looks = _plain(models), set()
    for file in sorted(Path(folder).glob("*/report.json")):
        try:
            recipe = json.loads(file.read_text(encoding="utf-8")).get("recipe", {})
        except (OSError, ValueError):
            continue  # no report, or a damaged one: it cannot say what it looked at
        if recipe.get("test_sha256") == test_sha256 and _plain(recipe.get("models", {})) != asked:
            looks.add(_plain(recipe.get("models", {})))
    return len(looks)


def _plain(models: Mapping[str, Mapping[str, Any]]) -> str:
    return json.dumps(models, sort_keys=True)
