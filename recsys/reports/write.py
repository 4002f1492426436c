"""write_report: the report folder, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.errors import DataError
from recsys.reports.report import as_report

if TYPE_CHECKING:
    import pandas as pd

    from recsys.evaluation.results import Evaluation


def write_report(evaluation: Evaluation, folder: Path, report: Mapping[str, Any] | None = None) -> Path:
    """report.html, report.json, per_user.parquet and recommendations.parquet in a new folder; returns it.

    report: what `recsys.reports.report.as_report` made of the evaluation, by default without further sections.

    Written beside its place and then renamed: nobody reads half a report. DataError when the folder already holds
    something, or cannot be written.
    """
    from recsys.reports.page import page  # matplotlib: half a second that nobody else has to wait for

    folder, report = Path(folder), report or as_report(evaluation)
    check_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        (unfinished / "report.json").write_text(text + "\n", encoding="utf-8")
        (unfinished / "report.html").write_text(page(report), encoding="utf-8")
        per_user(evaluation).to_parquet(unfinished / "per_user.parquet", index=False)
        recommendations(evaluation).to_parquet(unfinished / "recommendations.parquet", index=False)
        unfinished.chmod(0o755)  # mkdtemp keeps others out
        unfinished.replace(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def check_free(folder: Path) -> None:
    """DataError where a report cannot go because something is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            "there is already something where the report should go", where=str(folder), do="name a new folder"
        )


def per_user(evaluation: Evaluation) -> pd.DataFrame:
    """model, user, one float64 column a metric that has a value a person; a row for each model and user.

    Of several splits each has its rows, told apart by a column ``round``.
    """
    import pandas as pd

    frames = [
        pd.DataFrame({"model": name, "user": pd.Series(split.users, dtype="str"), **round_, **fit.per_user.values})
        for name, result in evaluation.models.items()
        for split, round_, fit in zip(evaluation.splits, _round(evaluation), result.fits, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def recommendations(evaluation: Evaluation) -> pd.DataFrame:
    """model, user, item (ids), rank from 1, score; at most the 100 best of each user. ``round`` as in `per_user`."""
    import pandas as pd

    frames = []
    for name, result in evaluation.models.items():
        for split, round_, fit in zip(evaluation.splits, _round(evaluation), result.fits, strict=True):
            row, place = np.nonzero(fit.per_user.lists >= 0)
            frames.append(
                pd.DataFrame(
                    {
                        "model": name,
                        "user": np.array(split.users, dtype=object)[row],
                        **round_,
                        "item": split.items.ids[fit.per_user.lists[row, place]],
                        "rank": (place + 1).astype(np.int32),
                        "score": fit.per_user.scores[row, place],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _round(evaluation: Evaluation) -> list[dict[str, str]]:
    several = len(evaluation.splits) > 1
    return [{"round": split.label} if several else {} for split in evaluation.splits]


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"the report cannot be written: {error.strerror or error}", where=str(folder), do="check the folder"
    )
