"""earlier_looks: how often a test part has been looked at before, with other models or settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def earlier_looks(folder: Path, test_sha256: str, models: Mapping[str, Mapping[str, Any]]) -> int:
    """The number of reports under ``folder`` on this very test part (`recsys.evaluation.split.asked_about`) with a
    model or settings that are not among those asked for now. Reports of the same models count once; one with nothing
    but some of today's, as when a model could not be fitted, is no further look: nothing new was tried.
    """
    asked, looks = {name: _plain(settings) for name, settings in models.items()}, set()
    for file in sorted(Path(folder).glob("*/report.json")):
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # no report, or a damaged one: it cannot say what it looked at
        recipe = report.get("recipe") if isinstance(report, dict) else None
        if not isinstance(recipe, dict) or recipe.get("test_sha256") != test_sha256:
            continue  # of another program, or of another question
        tried = {name: _plain(settings) for name, settings in recipe.get("models", {}).items()}
        if not tried.items() <= asked.items():
            looks.add(_plain(tried))
    return len(looks)


def _plain(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
