"""recsys anomalies: histories that a model cannot explain, for a person to judge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from api.cli.files import check_file, written
from api.cli.known import histories
from api.cli.output import FitProgress, json_option, print_json, print_table, say
from api.cli.session import Session
from recsys.errors import SettingError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from recsys.anomalies import Anomalies, Refit
    from recsys.evaluation.catalogue import Catalogue
    from recsys.recommender import Recommender
    from recsys.serving.bundle import ModelBundle

ENDINGS = (".html", ".parquet", ".csv", ".json")
_SHOWN = 20


@click.command(epilog="Example: recsys anomalies --out anomalies.html")
@click.option("--out", type=click.Path(path_type=Path), help="File to write: .html, .parquet, .csv or .json.")
@click.option("--model", help="Which live model judges; by default the configured one.")
@click.option(
    "--false-alarms",
    type=click.FloatRange(1e-4, 0.2),
    default=0.01,
    show_default=True,
    help="Share of genuine people that may be flagged.",
)
@click.option("--as-trained", is_flag=True, help="Judge by the live model itself: quicker, but blind.")
@json_option
@click.pass_obj
def command(
    session: Session, out: Path | None, model: str | None, false_alarms: float, as_trained: bool, as_json: bool
) -> None:
    """List histories that a model restores far worse than those of people with as many items.

    Unless --as-trained, two models like the live one are trained, each on half of the people, and judge the other half:
    a model explains well whatever it was trained on, made-up histories too. Nothing is changed or removed; who is
    flagged is for a person to judge.
    """
    if out is not None:
        check_file(out, ENDINGS)
    from recsys.anomalies import find_anomalies
    from recsys.evaluation.catalogue import Catalogue

    bundle, store = session.live_bundle(model), session.store()
    data = histories(store, session.settings.weights, bundle)
    catalogue = Catalogue(titles=store.titles(bundle.items.ids.tolist()))
    bars: list[FitProgress] = []
    found = find_anomalies(
        bundle.model,
        data.matrix,
        data.users.ids.tolist(),
        data.items,
        catalogue,
        false_alarms=false_alarms,
        seed=session.settings.seed,
        refit=None if as_trained else _refit(session, bundle, bars),
    )
    for bar in bars:
        bar.close()
    if out is not None:
        _write(out, found, data.matrix, bundle, catalogue)
        say(f"{int(found.flagged.sum()):,} flagged of {int(found.judged.sum()):,} judged: {out}")
    if as_json:
        print_json(as_plain(found, bundle.name))
    elif out is None:
        _show(found)


def as_plain(found: Anomalies, model: str) -> dict[str, Any]:
    """What was found as plain values: counts, what is shared, and the flagged people, strangest first."""
    return {
        "model": model,
        "crossed": found.crossed,
        "judged": int(found.judged.sum()),
        "not_judged": int((~found.judged).sum()),
        "false_alarms": found.false_alarms,
        "threshold": found.threshold,
        "flagged": int(found.flagged.sum()),
        "expected": found.expected,
        "shared": [
            {"item": one.item, "title": one.title, "flagged": one.flagged, "others": one.others} for one in found.shared
        ],
        "people": [
            {
                "user": found.users[row],
                "length": int(found.lengths[row]),
                "score": float(found.score[row]) if found.judged[row] else None,
                "p": float(found.p[row]) if found.judged[row] else None,
                "copy": bool(found.twin[row]),
                "reasons": list(found.reasons[row]),
            }
            for row in found.order.tolist()
        ],
    }


def _refit(session: Session, bundle: ModelBundle, bars: list[FitProgress]) -> Refit:
    """Trains models with the settings of a published one."""
    from recsys.models import config_of, create
    from recsys.recommender import FitOptions

    config = config_of(bundle.model)
    if config.get("conditional"):
        raise SettingError(
            "a conditional model cannot be trained again without attributes", do="add --as-trained, or name another"
        )
    settings = session.settings
    options = FitOptions(device=settings.device, seed=settings.seed)

    def refit(rows: csr_matrix) -> Recommender:
        bars.append(FitProgress(f"{bundle.name}, half {len(bars) + 1} of 2"))
        return create(bundle.name, **config).fit(rows, replace(options, on_progress=bars[-1]))

    return refit


def _write(out: Path, found: Anomalies, rows: csr_matrix, bundle: ModelBundle, catalogue: Catalogue) -> None:
    with written(out) as partial:
        if out.suffix == ".html":
            from recsys.anomalies.page import page

            html = page(found, rows, bundle.items, catalogue, bundle.name, datetime.now(UTC))
            partial.write_text(html, encoding="utf-8")
        elif out.suffix == ".json":
            partial.write_bytes(orjson.dumps(as_plain(found, bundle.name), option=orjson.OPT_INDENT_2))
        else:
            from recsys.anomalies.table import as_table

            frame = as_table(found)
            frame.to_csv(partial, index=False) if out.suffix == ".csv" else frame.to_parquet(partial, index=False)


def _show(found: Anomalies) -> None:
    rows = [
        (found.users[row], str(found.lengths[row]), f"{found.score[row]:.2f}", "; ".join(found.reasons[row]))
        for row in found.order[:_SHOWN].tolist()
    ]
    if rows:
        print_table("", ("user", "items", "score", "why"), rows, numbers_from=4)
    more = f", the first {_SHOWN} of them above" if found.flagged.sum() > _SHOWN else ""
    say(
        f"{int(found.flagged.sum()):,} of {int(found.judged.sum()):,} histories stand out{more}; about "
        f"{found.expected:,.0f} would if everybody were genuine"
    )
    for one in found.shared[:3]:
        say(f"{one.flagged} of the flagged have {one.title}, and {one.others:.1%} of the others")
    say("`recsys anomalies --out anomalies.html` shows each with its history, --out anomalies.csv everybody's score")
