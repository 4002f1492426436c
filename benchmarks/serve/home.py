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
from recsys.errors import SettingError
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
RANK, NEIGHBOURS = 64, 20  # of the linear path
START = 1_735_689_600_000_000  # microseconds: the first event, at the beginning of 2025
HOUR = 3_600_000_000
SPAN = 300 * 24 * HOUR  # from the first event to the last
_NOTE = "bench.json"
_PARTS = (
    {"kind": "low-pass", "user_exponent": 0.25, "item_exponent": 0.4, "rank": RANK, "weight": 1.0},
    {"kind": "neighbours", "user_exponent": 0.5, "item_exponent": 0.4, "most": NEIGHBOURS, "weight": 1.0},
)


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
    A home of another shape makes room for this one; SettingError for a folder that holds anything else.
    """
    note = folder / _NOTE
    made = _made(folder)
    if made and not url and made["shape"] == asdict(shape) and made["versions"]:
        home = Home(folder, shape, (made["versions"][0], made["versions"][1]))
        home.registry.promote(home.versions[0])
        return home
    if made:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(note, shape)  # first of all: a home that was not finished is ours, too
    settings = Settings(home=folder, database_url=url)
    popularity = _fill(settings.url, shape)
    registry = ModelRegistry(settings.registry_folder)
    both = [autoencoder_bundle(popularity, shape, 1), als_bundle(popularity, shape)]
    first, _ = registry.publish(both, default="autoencoder")
    (second,) = registry.add([autoencoder_bundle(popularity, shape, 2)])
    _write(note, shape, first, second)
    return Home(folder, shape, (first, second), url)


def _made(folder: Path) -> dict[str, Any] | None:
    """What the note of a home says; None where there is nothing yet. SettingError for what is not a home of ours."""
    refusal = SettingError(
        "the folder for a benchmark's data holds something else",
        where=str(folder),
        do="name a new or an empty folder: a benchmark deletes only what one has made",
    )
    if not folder.exists():
        return None
    if folder.is_symlink() or not folder.is_dir():
        raise refusal
    try:
        made = json.loads((folder / _NOTE).read_bytes())
    except FileNotFoundError as error:
        if any(folder.iterdir()):
            raise refusal from error
        return None
    except ValueError as error:
        raise refusal from error
    if not isinstance(made, dict) or made.keys() != {"shape", "versions"}:
        raise refusal
    return made


def _write(note: Path, shape: Shape, *versions: str) -> None:
    note.write_text(json.dumps({"shape": asdict(shape), "versions": versions}), encoding="utf-8")


def copy_of(home: Home, folder: Path) -> Home:
    """The same home in another folder, for a drill that changes what it holds. SQLite only, and nothing serving it."""
    shutil.copytree(home.folder, folder)
    return Home(folder, home.shape, home.versions)


def add_linear(home: Home) -> str:
    """A further version of the autoencoder, with a linear path beside the network; not put live."""
    popularity = home.registry.load(home.versions[0]).popularity
    (version,) = home.registry.add([autoencoder_bundle(popularity, home.shape, 4, linear=True)])
    return version


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


def autoencoder_bundle(popularity: np.ndarray, shape: Shape, seed: int, *, linear: bool = False) -> ModelBundle:
    """items - width - 200 - width - items; another seed, other lists. linear: with what the default model has beside
    its network where the catalogue is this large, a low-pass filter and neighbours."""
    config: dict[str, Any] = {
        "linear": _PARTS if linear else "none",
        "blend": {"share": 0.5, "temperature": 4.0} if linear else "auto",
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
    if linear:
        near = np.sort(rng.integers(0, n, (n, NEIGHBOURS), dtype=np.int32), axis=1)
        state |= {
            "linear/shares": np.array([1.0, 4.0]),  # about as much of each in the scores
            "linear/0.low-pass.vectors": weights(n, RANK, fan_in=RANK),
            "linear/0.low-pass.scale": np.maximum(popularity, 1) ** np.float32(0.4),
            "linear/1.neighbours.indptr": np.arange(0, near.size + 1, NEIGHBOURS, dtype=np.int32),
            "linear/1.neighbours.indices": near.ravel(),
            "linear/1.neighbours.data": rng.random(near.size, dtype=np.float32),
            "blend": np.array([0.5, 4.0]),
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
