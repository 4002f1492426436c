"""The digest of a bundle: of the same content the same, whenever it is saved and whatever lies beside it."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.candidate import train_candidate
from recsys.matrix import Index, InteractionMatrix
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle
from recsys.serving.files import write_folder


@pytest.fixture
def saved(tmp_path, make_als):
    make_als().save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_the_same_bundle_is_the_same_bytes_whenever_it_is_saved(tmp_path, make_als, monkeypatch):
    digests = []
    for number, now in enumerate((10**9, 2 * 10**9)):
        monkeypatch.setattr(time, "time", lambda now=now: float(now))
        digests.append(make_als().save(tmp_path / str(number)))
    assert digests[0] == digests[1] == ModelBundle.load(tmp_path / "0").digest
    assert make_als(scale=2.0).save(tmp_path / "other") != digests[0]  # the control
    assert "created" not in json.loads((tmp_path / "0" / "card.json").read_text())


def test_a_bundle_that_was_loaded_is_saved_as_the_same_bytes(saved, tmp_path):
    bundle = ModelBundle.load(saved)
    assert bundle.save(tmp_path / "again") == bundle.digest


@pytest.mark.parametrize("name", ["als", "popularity", "ease", "autoencoder"])
def test_the_same_data_settings_and_seed_give_the_same_digest_and_another_seed_another(tmp_path, name):
    rows = np.random.default_rng(0).random((60, 12)) < 0.3
    users, items = ([f"{kind}{number:02}" for number in range(n)] for kind, n in (("u", 60), ("i", 12)))
    data = InteractionMatrix(csr_matrix(rows.astype(np.float32)), Index.of(users), Index.of(items, "item"))
    config = {"als": {"factors": 4, "iterations": 2}, "autoencoder": {"layers": [8], "epochs": 2}}.get(name, {})
    digests = [
        train_candidate(name, config, data, FitOptions(device="cpu", seed=seed)).save(tmp_path / str(number))
        for number, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_card_of_an_older_recsys_with_its_clock_still_loads(saved):
    card = json.loads((saved / "card.json").read_text())
    files = {"model.safetensors": (saved / "model.safetensors").read_bytes()}
    files["card.json"] = json.dumps({**card, "created": "2026-01-01T00:00:00+00:00"}).encode()
    write_folder(saved.parent / "older", files)
    assert ModelBundle.load(saved.parent / "older").card["created"].startswith("2026")


def test_a_file_beside_those_of_the_manifest_is_no_damage(saved):
    digest = ModelBundle.load(saved).digest
    (saved / "verdict.json").write_text("{}")
    assert ModelBundle.load(saved).digest == digest
