"""Assortment: what is known of every item at answering time, in memory: titles, categories, dates, what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Self

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, vstack

from recsys.interactions import NO_TIME
from recsys.matrix import Index


@dataclass(frozen=True, slots=True)
class Article:
    """One item. created: microseconds since 1970, NO_TIME where unknown. shown: False for a hidden or deleted one."""

    id: str
    title: str | None = None
    categories: tuple[str, ...] = ()
    created: int = NO_TIME
    shown: bool = True


@dataclass(frozen=True, eq=False)
class View:
    """An assortment seen from a model's columns; (n,) and (n, n_categories) for n columns.

    rows: each column's article, -1 for an item that the assortment does not hold: such a one is shown, and nothing is
    known of it. fresh: (m,) numbers of the articles that are shown and that the model does not know.
    """

    assortment: Assortment
    rows: np.ndarray
    shown: np.ndarray
    fresh: np.ndarray

    @cached_property
    def categories(self) -> csr_matrix:
        """(n, n_categories) float32 ones; columns as in ``assortment.category_index``."""
        return _picked(self.assortment.categories, self.rows)

    def on_columns(self, articles: np.ndarray) -> np.ndarray:
        """(n,) bool: where the article of a column is among those of an (n_articles,) mask."""
        found = np.zeros(len(self.rows), dtype=bool)
        held = self.rows >= 0
        found[held] = articles[self.rows[held]]
        return found


@dataclass(frozen=True, eq=False)
class Assortment:
    """Articles in the order in which they came to be. stamp: of the store's items when they were read.

    Frozen: a change makes another assortment. Views are kept for the models in use.
    """

    articles: Sequence[Article] = ()
    stamp: int = 0
    _views: dict[int, tuple[Index, View]] = field(default_factory=dict, repr=False)

    def changed(self, articles: Iterable[Article], stamp: int) -> Self:
        """With these articles added or put in the place of those of the same id. What was worked out already of the
        others is taken over: a change costs a copy of a few arrays."""
        held, place = list(self.articles), dict(self.by_id)
        news = list({article.id: article for article in articles}.values())
        numbers = np.array([place.setdefault(article.id, len(place)) for article in news], dtype=np.int64)
        held.extend(news[-1:] * (len(place) - len(held)))
        for number, article in zip(numbers.tolist(), news, strict=True):
            held[number] = article
        made = type(self)(held, stamp)
        made.__dict__["by_id"] = place
        small = type(self)(news)
        for name in ("shown", "created"):
            if name in self.__dict__:
                made.__dict__[name] = _replaced(getattr(self, name), numbers, getattr(small, name), len(held))
        if "categories" in self.__dict__ and all(n in self.category_index for n in small.category_index.ids):
            small.__dict__["category_index"] = made.__dict__["category_index"] = self.category_index
            source = np.arange(len(held))
            source[numbers] = len(self.articles) + np.arange(len(news))
            made.__dict__["categories"] = vstack([self.categories, small.categories], format="csr")[source]
        return made

    @cached_property
    def by_id(self) -> Mapping[str, int]:
        return {article.id: number for number, article in enumerate(self.articles)}

    def marked(self, ids: Iterable[str]) -> np.ndarray:
        """(n_articles,) bool: the articles of these ids."""
        found = np.zeros(len(self.articles), dtype=bool)
        numbers = np.fromiter(map(self.by_id.get, ids, repeat(-1)), dtype=np.int32)
        found[numbers[numbers >= 0]] = True
        return found

    def in_any(self, categories: Iterable[str]) -> np.ndarray:
        """(n_articles,) bool: the articles of at least one of these categories."""
        codes = self.category_index.find(categories)
        found = np.zeros(len(self.articles), dtype=bool)
        table = self.by_category
        for code in codes[codes >= 0].tolist():
            found[table.indices[table.indptr[code] : table.indptr[code + 1]]] = True
        return found

    def find(self, id_: str) -> Article | None:
        number = self.by_id.get(id_)
        return None if number is None else self.articles[number]

    def title(self, id_: str) -> str | None:
        article = self.find(id_)
        return None if article is None else article.title

    @cached_property
    def newest_first(self) -> np.ndarray:
        """Numbers of the articles that are shown, by date; of one moment the last added first."""
        order = np.lexsort((np.arange(len(self.articles)), self.created))[::-1]
        return order[self.shown[order]]

    @cached_property
    def _searched(self) -> list[str]:
        """What a search looks at, in one case of letters: id and title."""
        return [f"{article.id}\n{article.title or ''}".casefold() for article in self.articles]

    def search(self, words: str | None, categories: frozenset[str] = frozenset()) -> list[Article]:
        """The articles that are shown and whose title or id holds every word, the newest first."""
        wanted = (words or "").casefold().split()
        texts = self._searched if wanted else ()
        return [
            self.articles[number]
            for number in self.newest_first.tolist()
            if all(word in texts[number] for word in wanted)
            and (not categories or not categories.isdisjoint(self.articles[number].categories))
        ]

    @cached_property
    def category_index(self) -> Index:
        return Index.of(sorted({name for article in self.articles for name in article.categories}), "category")

    @cached_property
    def categories(self) -> csr_matrix:
        """(n_articles, n_categories) float32 ones."""
        names = [dict.fromkeys(article.categories) for article in self.articles]
        ends = np.cumsum([0, *map(len, names)])
        codes = self.category_index.find(name for some in names for name in some)
        shape = (len(names), len(self.category_index))
        return csr_matrix((np.ones(len(codes), dtype=np.float32), codes, ends), shape=shape)

    @cached_property
    def by_category(self) -> csc_matrix:
        """``categories`` by column: the articles of a category follow each other."""
        return self.categories.tocsc()

    @cached_property
    def shown(self) -> np.ndarray:
        """(n_articles,) bool."""
        return np.array([article.shown for article in self.articles], dtype=bool)

    @cached_property
    def created(self) -> np.ndarray:
        """(n_articles,) int64 microseconds."""
        return np.array([article.created for article in self.articles], dtype=np.int64)

    def view(self, items: Index) -> View:
        """This assortment from the columns of a model with these items."""
        kept = self._views.get(id(items))
        if kept is not None and kept[0] is items:
            return kept[1]
        rows = np.fromiter(map(self.by_id.get, items.ids.tolist(), repeat(-1)), dtype=np.int32)
        shown = np.ones(len(items), dtype=bool)
        shown[rows >= 0] = self.shown[rows[rows >= 0]]
        fresh = self.shown.copy()
        fresh[rows[rows >= 0]] = False
        view = View(self, rows, shown, np.flatnonzero(fresh).astype(np.int32))
        if len(self._views) > 8:  # of models that no longer answer
            self._views.clear()
        self._views[id(items)] = (items, view)
        return view


NOTHING_KNOWN = Assortment()


def _replaced(values: np.ndarray, numbers: np.ndarray, news: np.ndarray, length: int) -> np.ndarray:
    """A longer copy with some values put in."""
    copy = np.empty(length, dtype=values.dtype)
    copy[: len(values)] = values
    copy[numbers] = news
    return copy


def _picked(rows: csr_matrix, numbers: np.ndarray) -> csr_matrix:
    """Rows by number, an empty one for -1."""
    known = csr_matrix(
        (np.ones(int((numbers >= 0).sum()), dtype=np.float32), (np.flatnonzero(numbers >= 0), numbers[numbers >= 0])),
        shape=(len(numbers), rows.shape[0]),
    )
    return (known @ rows).tocsr()
