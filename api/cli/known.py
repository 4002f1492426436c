"""What the store knows, as the core takes it: the histories in a model's columns, and the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.records import ItemRecord, UserRecord
    from data.store import Store
    from recsys.evaluation.catalogue import Catalogue
    from recsys.feedback import FeedbackWeights
    from recsys.matrix import InteractionMatrix
    from recsys.serving.bundle import ModelBundle

_PAGE = 10_000


def histories(store: Store, weights: FeedbackWeights, bundle: ModelBundle) -> InteractionMatrix:
    """Everybody's history, in the columns of a model: what came after its training it does not know."""
    from scipy.sparse import csr_matrix

    from recsys.matrix import InteractionMatrix

    data = InteractionMatrix.build(store.interactions(), weights)
    columns = bundle.items.find(data.items.ids.tolist())
    entries = data.matrix.tocoo()
    held = columns[entries.col] >= 0
    shape = (len(data.users), len(bundle.items))
    matrix = csr_matrix((entries.data[held], (entries.row[held], columns[entries.col[held]])), shape=shape)
    matrix.sort_indices()
    return InteractionMatrix(matrix, data.users, bundle.items)


def catalogue_of_store(store: Store) -> Catalogue:
    """Everything the store knows of items and users."""
    items: list[ItemRecord] = []
    while page := store.list_items(len(items), _PAGE):
        items += page
    users: list[UserRecord] = []
    while people := store.list_users(len(users), _PAGE):
        users += people
    return catalogue_of(items, users)


def catalogue_of(items: Iterable[ItemRecord], users: Iterable[UserRecord]) -> Catalogue:
    """From records; of attributes, those whose values are text, numbers or truth values."""
    from recsys.evaluation.catalogue import Catalogue

    described = list(items)
    return Catalogue(
        titles={one.id: one.title for one in described if one.title},
        categories={one.id: tuple(one.categories) for one in described if one.categories},
        items={one.id: _plain(one.attributes) for one in described},
        users={one.id: _plain(one.attributes) for one in users},
    )


def _plain(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items() if isinstance(value, str | int | float)}
