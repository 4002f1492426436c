"""write_report: the report folder, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys.errors import DataError
from recsys.reports.report import as_report

if TYPE_CHECKING:
    import pandas as pd

    from recsys.evaluation.run import Evaluation


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """report.json, per_user.parquet and recommendations.parquet in a new folder; returns it.

    Written beside its place and then renamed: nobody reads half a report. DataError when the folder already holds
    something, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            "there is already something where the report should go", where=str(folder), do="name a new folder"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        text = json.dumps(as_report(evaluation), indent=2, ensure_ascii=False, allow_nan=False)
        (unfinished / "report.json").write_text(text + "\n", encoding="utf-8")
        per_user(evaluation).to_parquet(unfinished / "per_user.parquet", index=False)
        recommendations(evaluation).to_parquet(unfinished / "recommendations.parquet", index=False)
        unfinished.chmod(0o755)  # mkdtemp keeps others out
        unfinished.replace(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def per_user(evaluation: Evaluation) -> pd.DataFrame:
    """model, user, one float64 column a metric; a row for each model and user."""
    import pandas as pd

    users = pd.Series(evaluation.split.users, dtype="str")
    return pd.concat(
        [
            pd.DataFrame({"model": name, "user": users, **result.per_user.values})
            for name, result in evaluation.models.items()
        ],
        ignore_index=True,
    )


def recommendations(evaluation: Evaluation) -> pd.DataFrame:
    """model, user, item (ids), rank from 1, score; at most the 100 best of each user."""
    import pandas as pd

    users = np.array(evaluation.split.users, dtype=object)
    frames = []
    for name, result in evaluation.models.items():
        row, place = np.nonzero(result.per_user.lists >= 0)
        frames.append(
            pd.DataFrame(
                {
                    "model": name,
                    "user": users[row],
                    "item": evaluation.split.items.ids[result.per_user.lists[row, place]],
                    "rank": (place + 1).astype(np.int32),
                    "score": result.per_user.scores[row, place],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"the report cannot be written: {error.strerror or error}", where=str(folder), do="check the folder"
    )
