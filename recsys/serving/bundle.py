"""ModelBundle: everything needed to answer with one model, as a folder of arrays and JSON that can run no code.

model.safetensors: the model's state ("model/..."), item popularity and item ids, and the items' vectors where the state
does not hold them; a table kept column by column lies there as it is in memory ("transposed/..."). card.json: what the
model is and where it came from; manifest.json: size and sha256 of both, written last. Nothing in it names a user.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import save as pack_arrays
from scipy.sparse import csr_matrix

from recsys import __version__
from recsys.errors import DamagedBundle, DataError, RecsysError
from recsys.matrix import Index
from recsys.models import create
from recsys.recommender import Recommender, State
from recsys.serving.arrays import view_arrays
from recsys.serving.files import digest_of, manifest_of, map_verified, write_folder

ARRAYS, CARD = "model.safetensors", "card.json"
NAMES = frozenset({ARRAYS, CARD})
_STATE, _TRANSPOSED = "model/", "transposed/"
_ITEMS_AT_ONCE = 1024  # a few MB of a table
_DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")
_LIBRARIES = ("numpy", "scipy", "torch", "implicit", "safetensors")


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """model: fitted. items: its columns. popularity: (n_items,) float32, users per item. card: plain facts for JSON.

    The card needs "model" (a name in the registry of models) and "config" (its settings); the rest is for people.
    digest: 64 hex digits that stand for the content; "" before it was saved or loaded.
    vectors: the model's item vectors, (n_items, width) float32; None where it knows none.

    What was loaded is a read-only view of the file, so processes that hold the same bundle share its memory.
    """

    model: Recommender
    items: Index
    popularity: np.ndarray
    card: Mapping[str, Any]
    digest: str = ""
    vectors: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.vectors is None:
            object.__setattr__(self, "vectors", self.model.item_vectors())

    @property
    def name(self) -> str:
        return str(self.card["model"])

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """(n_items,) float32 Euclidean lengths of the items' vectors, 1 where a vector is 0; None without vectors."""
        vectors = self.vectors
        if vectors is None:
            return None
        starts = range(0, len(vectors), _ITEMS_AT_ONCE)
        found = np.concatenate([np.linalg.norm(vectors[k : k + _ITEMS_AT_ONCE], axis=1) for k in starts])
        return np.where(found > 0, found, 1).astype(np.float32)

    def cosines(self, column: int) -> np.ndarray | None:
        """(n_items,) float32, new: the cosine of every item's vector and that of one; None without vectors."""
        vectors, lengths = self.vectors, self.lengths
        if vectors is None or lengths is None:
            return None
        return np.asarray((vectors @ (vectors[column] / lengths[column])) / lengths, dtype=np.float32)

    def files(self) -> dict[str, bytes]:
        """The bundle as file contents: of the same content the same bytes, at any time and on any machine with these
        libraries. Raises DamagedBundle for what ``load`` would refuse: it is never written."""
        text, offsets = _encode(self.items)
        arrays = {_STATE + key: array for key, array in self.model.state().items()}
        if self.vectors is not None and not any(np.may_share_memory(self.vectors, array) for array in arrays.values()):
            arrays["vectors"] = self.vectors
        arrays |= {"popularity": np.asarray(self.popularity, dtype=np.float32), "items": text, "item_offsets": offsets}
        where = f"model '{self.card.get('model')}', not yet saved"
        _check_arrays(arrays, where)
        _check_popularity(arrays["popularity"], len(self.items), where)
        facts = {**self.card, "n_items": len(self.items), "versions": _versions()}
        try:
            card = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False, default=_plain).encode()
        except (TypeError, ValueError) as error:
            raise DamagedBundle(f"the card cannot be written as JSON: {error}", where=where) from error
        _parse_card(card, where)
        return {ARRAYS: pack_arrays(dict(_laid_out(key, array) for key, array in arrays.items())), CARD: card}

    def save(self, folder: Path) -> str:
        """Write a new folder, whole or not at all. Returns the digest of its content."""
        files = self.files()
        write_folder(folder, files)
        return digest_of(manifest_of(files))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a folder written by ``save``. Every byte is hashed before anything is parsed.

        Raises DamagedBundle naming the file and the cause: altered or missing files, arrays of odd types or shapes, or
        not finite, a model this version does not know, a model that does not score its own items.
        """
        files, digest = map_verified(folder, NAMES)
        card = _parse_card(bytes(files[CARD]), str(folder / CARD))
        where = str(folder / ARRAYS)
        arrays = _as_was(view_arrays(files[ARRAYS], where), where)
        _check_arrays(arrays, where)
        items = _decode(arrays, int(card["n_items"]), where)
        _check_popularity(arrays["popularity"], len(items), where)
        state = {key.removeprefix(_STATE): array for key, array in arrays.items() if key.startswith(_STATE)}
        model = _restored(card, state, len(items), where)
        bundle = cls(model, items, arrays["popularity"], card, digest, arrays.get("vectors"))
        _check_vectors(bundle.vectors, len(items), where)
        return bundle


def _restored(card: Mapping[str, Any], state: State, n_items: int, where: str) -> Recommender:
    """The model, proven to score its own items: a history of nothing must give one finite number an item."""
    config = {key: _tuples(value) for key, value in card["config"].items()}
    try:
        model = create(str(card["model"]), **config).restore(state)
        scores = model.score(csr_matrix((1, n_items), dtype=np.float32))
    except (RecsysError, KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DamagedBundle(f"model '{card['model']}' cannot be restored ({cause})", where=where) from error
    if scores.shape != (1, n_items) or not np.isfinite(scores).all():
        raise DamagedBundle(
            f"model '{card['model']}' does not give one finite score to each of {n_items:,} items", where=where
        )
    return model


def _parse_card(raw: bytes, where: str) -> dict[str, Any]:
    try:
        card = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DamagedBundle(f"the card is not JSON: {error}", where=where) from error
    for key, kind in (("model", str), ("config", dict), ("n_items", int)):
        if not isinstance(card, dict) or not isinstance(card.get(key), kind):
            raise DamagedBundle(f"the card has no usable '{key}'", where=where)
    return dict(card)


def _check_arrays(arrays: State, where: str) -> None:
    for key, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise DamagedBundle(f"array '{key}' has type {array.dtype}, none a model may have", where=where)
        with np.errstate(invalid="ignore"):
            ends = (array.min(initial=0), array.max(initial=0)) if array.dtype.kind == "f" else (0, 0)
        if not np.isfinite(ends).all():  # of a NaN among them both are NaN
            raise DamagedBundle(f"array '{key}' holds numbers that are not finite", where=where, do="train again")


def _check_popularity(popularity: np.ndarray, n_items: int, where: str) -> None:
    if n_items == 0:
        raise DamagedBundle("the bundle holds no items", where=where, do="train on some interactions")
    if popularity.shape != (n_items,) or popularity.dtype != np.float32 or (popularity < 0).any():
        raise DamagedBundle(f"popularity is not {n_items:,} counts but {popularity.shape}", where=where)


def _check_vectors(vectors: np.ndarray | None, n_items: int, where: str) -> None:
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != n_items or vectors.dtype.kind != "f"):
        raise DamagedBundle(f"the items' vectors are not {n_items:,} rows but {vectors.shape}", where=where)


def _laid_out(key: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """What is written for an array: its transpose where that is how it lies in memory."""
    if array.ndim == 2 and array.flags.f_contiguous and not array.flags.c_contiguous:
        return _TRANSPOSED + key, array.T
    return key, np.ascontiguousarray(array)


def _as_was(arrays: State, where: str) -> State:
    """The arrays as they were given to ``_laid_out``; views only."""
    found: State = {}
    for key, array in arrays.items():
        name = key.removeprefix(_TRANSPOSED)
        if name in found or (name != key and array.ndim != 2):
            raise DamagedBundle(f"array '{key}' cannot be a table, or is there twice", where=where)
        found[name] = array if name == key else array.T
    return found


def _encode(items: Index) -> tuple[np.ndarray, np.ndarray]:
    """Ids as one (bytes,) uint8 array of UTF-8 and (n + 1,) int64 offsets into it."""
    try:
        encoded = [str(id_).encode() for id_ in items.ids]
    except UnicodeEncodeError as error:
        raise DataError(f"an item id is not valid text: {error.object[:40]!r}", do="mend it and train again") from error
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(id_) for id_ in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def _decode(arrays: State, n_items: int, where: str) -> Index:
    for key in ("popularity", "items", "item_offsets"):
        if key not in arrays:
            raise DamagedBundle(f"there is no array '{key}'", where=where)
    text, offsets = arrays["items"], arrays["item_offsets"]
    sound = text.dtype == np.uint8 and text.ndim == 1 and offsets.dtype == np.int64 and offsets.shape == (n_items + 1,)
    if not sound or offsets[0] != 0 or offsets[-1] != len(text) or (np.diff(offsets) <= 0).any():
        raise DamagedBundle(f"the item ids are not {n_items:,} pieces of text", where=where)
    data, ends = text.tobytes(), offsets.tolist()
    try:
        ids = [data[start:end].decode() for start, end in pairwise(ends)]
        return Index.of(ids, "item")
    except (UnicodeDecodeError, DataError) as error:
        raise DamagedBundle(f"the item ids cannot be read: {error}", where=where) from error


def _tuples(value: Any) -> Any:
    """JSON knows lists only; configurations are frozen and hold tuples."""
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain value")


def _versions() -> dict[str, str]:
    """Versions of the libraries that are installed, asked without importing them."""
    found = {"recsys": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
