"""A home to serve from: a store of made-up people, and two releases of a 600-wide autoencoder beside an ALS.

Nothing is trained: weights are drawn at random and restored, for how fast and how faithfully a model is served does not
depend on what it has learnt.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import migrations
from api.settings import Settings
from benchmarks.million import made_up
from data.records import ItemRecord
from data.store import Store
from recsys.interactions import Interactions
from recsys.linear.products import by_column
from recsys.matrix import Index
from recsys.models import create
from recsys.models.autoencoder_scoring import laid_out
from recsys.recommender import State
from recsys.serving.bundle import ModelBundle
from recsys.serving.registry import ModelRegistry

SHORTEST, LONGEST = 20, 80  # events of a history
CATEGORIES = 40
LATENT = 200
FACTORS = 64
START = 1_735_689_600_000_000  # microseconds: the first event, at the beginning of 2025
HOUR = 3_600_000_000
SPAN = 300 * 24 * HOUR  # from the first event to the last
_NOTE = "bench.json"


@dataclass(frozen=True)
class Shape:
    """How large a home is. width: of the autoencoder's item table."""

    users: int = 5_000
    items: int = 20_000
    width: int = 600
    seed: int = 0


@dataclass(frozen=True)
class Home:
    """A folder to serve from. versions: the autoencoder's two, the first of them live with the ALS at the start."""

    folder: Path
    shape: Shape
    versions: tuple[str, str]
    url: str = ""

    @property
    def settings(self) -> Settings:
        return Settings(home=self.folder, database_url=self.url)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.settings.registry_folder)

    def live(self) -> str:
        """The version of the autoencoder that is live."""
        return self.registry.live().version("autoencoder")

    def other(self) -> str:
        """The version of the autoencoder that is not live."""
        return self.versions[self.live() == self.versions[0]]

    def store(self) -> Store:
        return Store.open(self.settings.url)

    def user(self, number: int) -> str:
        """The id of a user, numbers beyond the last beginning again."""
        return f"user-{number % self.shape.users}"

    def item(self, number: int) -> str:
        return f"item-{number % self.shape.items}"


def make_home(folder: Path, shape: Shape = Shape(), url: str = "") -> Home:
    """A new home in a folder, or the one that lies there if it was made to this shape. The first version is live.

    url: of an empty database; by default a SQLite file in the folder. A home with a database elsewhere is always new.
    """
    note = folder / _NOTE
    made = json.loads(note.read_text(encoding="utf-8")) if note.is_file() and not url else None
    if made is not None and made["shape"] == asdict(shape):
        home = Home(folder, shape, (made["versions"][0], made["versions"][1]))
        home.registry.promote(home.versions[0])
        return home
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = Settings(home=folder, database_url=url)
    popularity = _fill(settings.url, shape)
    registry = ModelRegistry(settings.registry_folder)
    first, _ = registry.publish(
        [autoencoder_bundle(popularity, shape, 1), als_bundle(popularity, shape)], default="autoencoder"
    )
    (second,) = registry.add([autoencoder_bundle(popularity, shape, 2)])
    note.write_text(json.dumps({"shape": asdict(shape), "versions": [first, second]}), encoding="utf-8")
    return Home(folder, shape, (first, second), url)


def copy_of(home: Home, folder: Path) -> Home:
    """The same home in another folder, for a drill that changes what it holds. SQLite only, and nothing serving it."""
    shutil.copytree(home.folder, folder)
    return Home(folder, home.shape, home.versions)


def _fill(url: str, shape: Shape) -> np.ndarray:
    """Migrate the database and store everything; (items,) float32, users per item."""
    rng = np.random.default_rng(shape.seed)
    mean = min((SHORTEST + LONGEST) // 2, shape.items // 8)
    wanted = min(3 * mean, shape.items // 4) * shape.users
    drawn = made_up(shape.users, shape.items, wanted, shape.seed)
    users, items = [], []
    for user, length in enumerate(rng.integers(mean * 2 // 5, mean * 8 // 5 + 1, shape.users).tolist()):
        own = drawn.indices[drawn.indptr[user] : drawn.indptr[user + 1]]
        if len(own) < length:  # this person drew few: anything fills the rest
            own = np.union1d(own, rng.choice(shape.items, length * 2, replace=False))
        users += [user] * length
        items += rng.choice(own, length, replace=False).tolist()
    events = Interactions.from_lists(
        [f"user-{user}" for user in users],
        [f"item-{item}" for item in items],
        "like",
        times=START + np.linspace(0, SPAN, len(users)).astype(np.int64),
    )
    with Store.open(url, create=True) as store:
        migrations.upgrade(store.engine)
        store.put_items([_record(number) for number in range(shape.items)])
        store.add(events)
    return np.bincount(items, minlength=shape.items).astype(np.float32)


def _record(number: int) -> ItemRecord:
    categories = {f"category-{number % CATEGORIES}", f"category-{number // 7 % CATEGORIES}"}
    created = START - HOUR * (number % 10_000)
    return ItemRecord(f"item-{number}", f"The title of item {number}", tuple(sorted(categories)), created=created)


def autoencoder_bundle(popularity: np.ndarray, shape: Shape, seed: int) -> ModelBundle:
    """items - width - 200 - width - items without a linear path; another seed, other lists."""
    config: dict[str, Any] = {
        "linear": "none",
        "recency": 0.0,
        "weight_decay": 2.0,
        "layers": (shape.width,),
        "bottleneck": LATENT,
        "decoder_layers": (shape.width,),
    }
    rng = np.random.default_rng((shape.seed, seed))
    n, width = shape.items, shape.width

    def weights(*sizes: int, fan_in: int) -> np.ndarray:
        return np.asarray(rng.standard_normal(sizes, dtype=np.float32) * np.float32(fan_in**-0.5))

    state: State = {
        "input_weight": weights(n, width, fan_in=10),
        "input_bias": np.zeros(width, dtype=np.float32),
        "norms.0.weight": np.ones(width, dtype=np.float32),
        "norms.0.bias": np.zeros(width, dtype=np.float32),
        "bottleneck.weight": weights(LATENT, width, fan_in=width),
        "bottleneck.bias": np.zeros(LATENT, dtype=np.float32),
        "decoder.0.weight": weights(width, LATENT, fan_in=LATENT),
        "decoder.0.bias": np.zeros(width, dtype=np.float32),
        "decoder_norms.0.weight": np.ones(width, dtype=np.float32),
        "decoder_norms.0.bias": np.zeros(width, dtype=np.float32),
        "decoder_weight": weights(n, width, fan_in=width),
        "decoder_bias": (0.3 * np.log1p(popularity)).astype(np.float32),
    }
    model = create("autoencoder", **config).restore(laid_out(state))  # as `fit` leaves them
    return ModelBundle(model, _index(n), popularity, {"model": "autoencoder", "config": config})


def als_bundle(popularity: np.ndarray, shape: Shape) -> ModelBundle:
    """64 factors an item."""
    config = {"factors": FACTORS, "alpha": 4.0, "regularization": 5.0}
    rng = np.random.default_rng((shape.seed, 3))
    factors = rng.standard_normal((shape.items, FACTORS), dtype=np.float32) * np.float32(0.1)
    state = {"items": by_column(factors), "regularization": np.array([5.0], dtype=np.float64)}
    model = create("als", **config).restore(state)
    return ModelBundle(model, _index(shape.items), popularity, {"model": "als", "config": config})


def _index(n: int) -> Index:
    return Index.of([f"item-{number}" for number in range(n)], "item")
