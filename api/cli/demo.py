"""recsys demo: the sample data through the whole line, ending in recommendations a person can judge."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click
import numpy as np

from api.cli.judging import evaluate, report_of, show, write
from api.cli.output import print_ranked, print_table, program, say
from api.cli.question import Question
from api.cli.session import Session
from api.cli.train import matrix_of, train
from recsys.serving.ask import Ask

if TYPE_CHECKING:
    from data.store import Store
    from recsys.matrix import InteractionMatrix

MODELS = ("autoencoder", "als")


@click.command(epilog="Example: recsys demo --no-serve")
@click.option("--no-serve", is_flag=True, help="Stop before serving.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve on (RECSYS_PORT, 8000).")
@click.pass_obj
def command(session: Session, no_serve: bool, port: int | None) -> None:
    """Load the sample cinema, train the autoencoder and ALS, evaluate, publish, recommend, serve."""
    from data import readers, sample

    session.flags |= {"port": port}
    folder = sample.folder()
    say("1/4 loading the sample: an invented cinema")
    with session.store(create=True) as store:
        store.import_batches(
            "the sample", readers.read(folder), items=readers.items_of(folder), users=readers.users_of(folder)
        )
        say("2/4 comparing the models on people they have not seen")
        matrix = matrix_of(session)
        settings = session.settings
        question = Question(
            "strong", seeds=(settings.seed,), min_user=settings.min_user, min_item=settings.min_item
        ).at_home(session)
        models = {name: settings.models.get(name, {}) for name in (*MODELS, "popularity")}
        splits, catalogue = question.splits(session), question.catalogue(session)
        evaluation = evaluate(session, splits, models, catalogue=catalogue)
        report = write(session, evaluation, None, report_of(evaluation, question, ("category",)))
        say("3/4 training and publishing")
        train(session, MODELS, {}, publish=True)
        say("4/4 recommending")
        _show_one(session, store, matrix)
        show(evaluation)
    say(f"report: {report / 'report.html'}")
    address = f"http://{session.settings.host}:{session.settings.port}/"
    if no_serve:
        say(f"to see it in a browser: `{program()} serve`, then {address}")
        return
    from api.server import serve

    say(f"serving on {address} (stop with Ctrl-C)")
    serve(session.settings)


def _show_one(session: Session, store: Store, matrix: InteractionMatrix) -> None:
    """One user's history beside what each model recommends."""
    user, liked = _plain_taste(store, matrix)
    records = store.items(liked)
    say("")
    print_table(
        f"What {user} liked",
        ("title", "categories"),
        [(records[item].title or item, ", ".join(records[item].categories)) for item in liked],
        numbers_from=9,
    )
    service, history, known = session.service(), store.history(user), session.assortment(store)
    for name in MODELS:
        answer = service.recommend(history, Ask(8, model=name), known, user)
        say(f"{answer.strategy} recommendations for {user}, by {name}")
        print_ranked(answer.items, store.items([row.item for row in answer.items]), "score")
    say(f"ask again with `{program()} recommend {user}`")


def _plain_taste(store: Store, matrix: InteractionMatrix) -> tuple[str, list[str]]:
    """A user with 8 to 14 likes and the plainest taste, so that a reader can judge the answer: (user, item ids)."""
    ids = matrix.items.ids.tolist()
    categories = {item: set(record.categories) for item, record in store.items(ids).items()}
    best, chosen, liked = -1.0, 0, np.empty(0, dtype=np.int32)
    sizes = np.diff(matrix.matrix.indptr)
    wanted = np.flatnonzero((sizes >= 8) & (sizes <= 14))
    for number in wanted if len(wanted) else np.argsort(-sizes, kind="stable")[:1]:
        columns = matrix.matrix.indices[matrix.matrix.indptr[number] : matrix.matrix.indptr[number + 1]]
        counts = Counter(name for column in columns for name in categories.get(ids[column], ()))
        share = max(counts.values(), default=0) / len(columns)
        if share > best:
            best, chosen, liked = share, int(number), columns
    return str(matrix.users.ids[chosen]), [ids[column] for column in liked]
