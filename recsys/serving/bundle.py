"""ModelBundle: everything needed to answer with one model, as a folder of arrays and JSON that can run no code.

model.safetensors: the model's state ("model/..."), item popularity and item ids; card.json: what it is and where it
came from; manifest.json: size and sha256 of both, written last. Nothing in it names a user.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_arrays
from safetensors.numpy import save as pack_arrays
from scipy.sparse import csr_matrix

from recsys import __version__
from recsys.errors import DamagedBundle, DataError, RecsysError
from recsys.matrix import Index
from recsys.models import create
from recsys.recommender import Recommender, State
from recsys.serving.files import digest_of, manifest_of, read_verified, write_folder

ARRAYS, CARD = "model.safetensors", "card.json"
NAMES = frozenset({ARRAYS, CARD})
_STATE = "model/"
_DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")
_LIBRARIES = ("numpy", "scipy", "torch", "implicit", "safetensors")


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """model: fitted. items: its columns. popularity: (n_items,) float32, users per item. card: plain facts for JSON.

    The card needs "model" (a name in the registry of models) and "config" (its settings); the rest is for people.
    digest: 64 hex digits that stand for the content; "" before it was saved or loaded.
    """

    model: Recommender
    items: Index
    popularity: np.ndarray
    card: Mapping[str, Any]
    digest: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return str(self.card["model"])

    @cached_property
    def unit_vectors(self) -> np.ndarray | None:
        """(n_items, width) float32 item vectors of length 1 (0 where a vector is 0), or None: products are cosines."""
        vectors = self.model.item_vectors()
        if vectors is None:
            return None
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(length > 0, length, 1.0)).astype(np.float32)

    def files(self) -> dict[str, bytes]:
        """The bundle as file contents. Raises DamagedBundle for what ``load`` would refuse: it is never written."""
        text, offsets = _encode(self.items)
        arrays = {_STATE + key: np.ascontiguousarray(array) for key, array in self.model.state().items()}
        arrays |= {"popularity": np.asarray(self.popularity, dtype=np.float32), "items": text, "item_offsets": offsets}
        where = f"model '{self.card.get('model')}', not yet saved"
        _check_arrays(arrays, where)
        _check_popularity(arrays["popularity"], len(self.items), where)
        facts = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **self.card,
            "n_items": len(self.items),
            "versions": _versions(),
        }
        try:
            card = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False, default=_plain).encode()
        except (TypeError, ValueError) as error:
            raise DamagedBundle(f"the card cannot be written as JSON: {error}", where=where) from error
        _parse_card(card, where)
        return {ARRAYS: pack_arrays(arrays), CARD: card}

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
        files, digest = read_verified(folder, NAMES)
        card = _parse_card(files[CARD], str(folder / CARD))
        where = str(folder / ARRAYS)
        try:
            arrays = parse_arrays(files[ARRAYS])
        except (SafetensorError, ValueError, KeyError) as error:
            raise DamagedBundle(f"not a safetensors file: {error}", where=where) from error
        _check_arrays(arrays, where)
        items = _decode(arrays, int(card["n_items"]), where)
        _check_popularity(arrays["popularity"], len(items), where)
        state = {key.removeprefix(_STATE): array for key, array in arrays.items() if key.startswith(_STATE)}
        return cls(_restored(card, state, len(items), where), items, arrays["popularity"], card, digest)


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
    for key, kind in (("model", str), ("config", dict), ("created", str), ("n_items", int)):
        if not isinstance(card, dict) or not isinstance(card.get(key), kind):
            raise DamagedBundle(f"the card has no usable '{key}'", where=where)
    return dict(card)


def _check_arrays(arrays: State, where: str) -> None:
    for key, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise DamagedBundle(f"array '{key}' has type {array.dtype}, none a model may have", where=where)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DamagedBundle(f"array '{key}' holds numbers that are not finite", where=where, do="train again")


def _check_popularity(popularity: np.ndarray, n_items: int, where: str) -> None:
    if n_items == 0:
        raise DamagedBundle("the bundle holds no items", where=where, do="train on some interactions")
    if popularity.shape != (n_items,) or popularity.dtype != np.float32 or (popularity < 0).any():
        raise DamagedBundle(f"popularity is not {n_items:,} counts but {popularity.shape}", where=where)


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
