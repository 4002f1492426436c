"""recsys export: what the store and the live models hold, as files other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.files import check_file, written
from api.cli.known import catalogue_of_store, histories
from api.cli.output import say
from api.cli.session import Session
from recsys.errors import SettingError
from recsys.serving.ask import Ask

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".parquet", ".csv")

_AT_ONCE = 1_000  # users whose lists are made together


@click.command(epilog="Example: recsys export recommendations top10.parquet -n 10")
@click.argument("what", type=click.Choice(("interactions", "recommendations", "embeddings", "groups")))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-n", "n", type=click.IntRange(1, 500), default=10, show_default=True, help="Items a user.")
@click.option("--model", help="Which live model; by default the configured one.")
@click.pass_obj
def command(session: Session, what: str, path: Path, n: int, model: str | None) -> None:
    """Write WHAT to PATH (.parquet or .csv): raw interactions, every user's list, item embeddings, or groups of people
    with similar interests."""
    check_file(path, ENDINGS)
    makers = {
        "interactions": _interactions,
        "recommendations": _recommendations,
        "embeddings": _embeddings,
        "groups": _groups,
    }
    frame = makers[what](session, n, model)
    with written(path) as partial:
        if path.suffix == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)
    say(f"{len(frame):,} rows in {path}")


def _interactions(session: Session, n: int, model: str | None) -> pd.DataFrame:
    return session.store().interactions().to_frame()


def _recommendations(session: Session, n: int, model: str | None) -> pd.DataFrame:
    """model, user, item, rank (from 1), score: what each user with a history would be answered."""
    import pandas as pd

    store = session.store()
    service, known = session.service(), session.assortment(store)
    users = store.interactions().user.labels.tolist()
    rows = []
    for start in range(0, len(users), _AT_ONCE):
        histories = [(user, store.history(user)) for user in users[start : start + _AT_ONCE]]
        for answer in service.recommend_many(histories, Ask(n, model=model), known):
            rows += [(answer.model_name, answer.user, row.item, row.rank, row.score) for row in answer.items]
    return pd.DataFrame(rows, columns=["model", "user", "item", "rank", "score"])


def _embeddings(session: Session, n: int, model: str | None) -> pd.DataFrame:
    """item, then one column a dimension."""
    import pandas as pd

    bundle = session.live_bundle(model)
    vectors = bundle.model.item_vectors()
    if vectors is None:
        raise SettingError(
            f"model '{bundle.card['model']}' knows no item embeddings", do="use --model autoencoder or als"
        )
    frame = pd.DataFrame(vectors, columns=[f"d{number}" for number in range(vectors.shape[1])])
    frame.insert(0, "item", bundle.items.ids)
    return frame


def _groups(session: Session, n: int, model: str | None) -> pd.DataFrame:
    """user, group, name, similarity, runner_up: everybody with a history, by the live model's bottleneck."""
    from recsys.groups import similar_people
    from recsys.groups.export import about, groups_frame

    bundle = session.live_bundle(model)
    grouping: Any = bundle.model
    if not hasattr(grouping, "encode"):
        raise SettingError(
            f"model '{bundle.card['model']}' has no bottleneck to group people by", do="use --model autoencoder or svd"
        )
    store = session.store()
    data, catalogue = histories(store, session.settings.weights, bundle), catalogue_of_store(store)
    found = similar_people(
        grouping, data.matrix, data.users.ids.tolist(), bundle.items, catalogue, session.settings.seed
    )
    say(about(found))
    for group in found.groups:
        say(f"{group.name}: {group.words}")
    return groups_frame(found)
