"""A bundle comes back as it was saved, or not at all."""

import json
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load, save

from recsys.errors import DamagedBundle, StoreError
from recsys.matrix import Index, history_row
from recsys.serving.bundle import ModelBundle
from recsys.serving.files import MANIFEST, manifest_of


def resign(folder, name, data):
    """Alter a file and write a manifest that fits: what only somebody who means harm, or a bug, would do."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}
    files[name] = data
    (folder / name).write_bytes(data)
    (folder / MANIFEST).write_bytes(manifest_of(files))


@pytest.fixture
def saved(tmp_path, make_als):
    make_als().save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_loaded_bundle_scores_as_the_saved_one(saved, make_als):
    before, after = make_als(), ModelBundle.load(saved)
    row = history_row(before.items, ["a1", "b3"])
    np.testing.assert_array_equal(after.model.score(row), before.model.score(row))
    np.testing.assert_array_equal(after.popularity, before.popularity)
    assert after.items.ids.tolist() == before.items.ids.tolist()


def test_any_text_can_be_an_item_id(tmp_path, make_als):
    ids = ["é", "日本", "a b", "🎬", "o'brien", '"', "\\", "-"]
    bundle = make_als()
    ModelBundle(bundle.model, Index.of(ids, "item"), bundle.popularity, bundle.card).save(tmp_path / "bundle")
    assert ModelBundle.load(tmp_path / "bundle").items.ids.tolist() == ids


def test_no_random_mutation_of_a_saved_file_loads(saved):
    random = np.random.default_rng(0)
    whole = {path.name: path.read_bytes() for path in saved.iterdir()}
    files = {name: (saved / name).open("r+b", buffering=0) for name in whole}  # opening is what takes the time

    def put(name, data):
        files[name].seek(0)
        files[name].truncate()
        files[name].write(data)

    changed = 0
    for _ in range(2_000):
        name = str(random.choice(sorted(whole)))
        data = bytearray(whole[name])
        at, kind = int(random.integers(len(data))), int(random.integers(5))
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            data[at] = int(random.integers(256))
        elif kind == 2:
            del data[at : at + int(random.integers(1, 40))]
        elif kind == 3:
            data[at:at] = random.bytes(int(random.integers(1, 40)))
        else:
            other = int(random.integers(len(data)))
            data[at], data[other] = data[other], data[at]
        if bytes(data) == whole[name]:
            continue
        changed += 1
        put(name, bytes(data))
        with pytest.raises(DamagedBundle):
            ModelBundle.load(saved)
        put(name, whole[name])
    for file in files.values():
        file.close()
    assert changed > 1_800
    ModelBundle.load(saved)  # the control: unmutated it loads


@pytest.mark.parametrize("name", ["model.safetensors", "card.json", "manifest.json"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(DamagedBundle) as caught:
        ModelBundle.load(saved)
    assert name in str(caught.value)


def test_files_of_another_bundle_are_refused(saved, tmp_path, make_als):
    make_als(scale=2.0).save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", saved)
    with pytest.raises(DamagedBundle, match="sha256"):
        ModelBundle.load(saved)


def altered(arrays, case):
    arrays = dict(arrays)
    if case == "NaN weight":
        arrays["model/items"] = np.full_like(arrays["model/items"], np.nan)
    elif case == "infinite popularity":
        arrays["popularity"] = np.full_like(arrays["popularity"], np.inf)
    elif case == "negative popularity":
        arrays["popularity"] = -arrays["popularity"]
    elif case == "short popularity":
        arrays["popularity"] = arrays["popularity"][:-1].copy()
    elif case == "missing state":
        del arrays["model/items"]
    elif case == "state of fewer items":
        arrays["model/items"] = arrays["model/items"][:-1].copy()
    elif case == "flat state":
        arrays["model/items"] = arrays["model/items"].ravel()
    elif case == "offsets past the end":
        arrays["item_offsets"] = arrays["item_offsets"] + 1
    elif case == "offsets backwards":
        arrays["item_offsets"] = arrays["item_offsets"][::-1].copy()
    elif case == "repeated id":
        arrays["items"] = np.frombuffer(b"a0a0a2a3b0b1b2b3", dtype=np.uint8)
    elif case == "id not utf-8":
        arrays["items"] = np.frombuffer(b"\xff" * 16, dtype=np.uint8)
    elif case == "no ids":
        del arrays["items"]
    elif case == "odd type":
        arrays["model/items"] = arrays["model/items"].astype(np.complex64)
    return arrays


@pytest.mark.parametrize(
    "case",
    [
        "NaN weight",
        "infinite popularity",
        "negative popularity",
        "short popularity",
        "missing state",
        "state of fewer items",
        "flat state",
        "offsets past the end",
        "offsets backwards",
        "repeated id",
        "id not utf-8",
        "no ids",
        "odd type",
    ],
)
def test_wrong_arrays_are_refused_even_under_a_fitting_manifest(saved, case):
    arrays = load((saved / "model.safetensors").read_bytes())
    resign(saved, "model.safetensors", save(arrays))
    ModelBundle.load(saved)  # the control: signed again without a change it loads
    resign(saved, "model.safetensors", save(altered(arrays, case)))
    with pytest.raises(DamagedBundle):
        ModelBundle.load(saved)


@pytest.mark.parametrize(
    "card",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"model": "nothing", "config": {}, "n_items": 8}',
        b'{"model": "als", "config": {"no_such": 1}, "n_items": 8}',
        b'{"model": "als", "config": {"factors": "os.system"}, "n_items": 8}',
        b'{"model": "als", "config": {}, "n_items": 7}',
        b'{"model": "als", "config": {}, "n_items": -1}',
    ],
)
def test_a_wrong_card_is_refused_even_under_a_fitting_manifest(saved, card):
    resign(saved, "card.json", card)
    with pytest.raises(DamagedBundle):
        ModelBundle.load(saved)


def test_a_manifest_cannot_name_files_elsewhere(saved):
    files = {"../../etc/passwd": b"", "card.json": (saved / "card.json").read_bytes()}
    (saved / MANIFEST).write_bytes(manifest_of(files))
    with pytest.raises(DamagedBundle, match="lists"):
        ModelBundle.load(saved)


def test_a_model_that_is_not_finite_is_never_written(tmp_path, make_als):
    with pytest.raises(DamagedBundle, match="finite"):
        make_als(scale=float("nan")).save(tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_the_card_says_what_the_model_is_and_nothing_of_users(saved):
    card = json.loads((saved / "card.json").read_text())
    assert card["model"] == "als"
    assert card["n_items"] == 8
    assert card["config"] == {"factors": 2, "alpha": 4.0}
    assert {"recsys", "numpy", "python"} <= set(card["versions"])


def test_saving_over_a_bundle_is_refused_and_leaves_it_whole(saved, make_als):
    with pytest.raises(StoreError):
        make_als(scale=2.0).save(saved)
    ModelBundle.load(saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_full_disk_leaves_nothing_behind(tmp_path, make_als, monkeypatch):
    fired = []

    def full(descriptor):
        fired.append(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="cannot be written"):
        make_als().save(tmp_path / "bundle")
    assert fired
    assert not list(tmp_path.iterdir())
