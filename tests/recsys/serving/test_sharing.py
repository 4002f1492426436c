"""Processes that hold the same bundle share its tables; a map outlives its file; swaps leave nothing behind."""

import multiprocessing
import stat
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import DamagedBundle, NoModel
from recsys.linear.products import by_column
from recsys.matrix import Index, history_row
from recsys.models import create
from recsys.serving.bundle import ModelBundle
from recsys.serving.live import LiveModels
from recsys.serving.registry import ModelRegistry
from tests.threads import until

N_ITEMS, WIDTH, RANK, NEAR = 20_000, 600, 60, 40
PRIVATE_MB = 16  # what a second process may add; the tables are 104 MB


def wide_bundle() -> ModelBundle:
    """The sizes of a large model: two tables of 600 columns, a filter and neighbours; the numbers are drawn."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        return rng.standard_normal(shape, dtype=np.float32) / 8

    near = np.sort(rng.integers(0, N_ITEMS, (N_ITEMS, NEAR), dtype=np.int32), axis=1)
    config = {"layers": [WIDTH], "bottleneck": WIDTH}
    model = create("autoencoder", **config).restore(
        {
            "input_weight": drawn(N_ITEMS, WIDTH),
            "input_bias": drawn(WIDTH),
            "norms.0.weight": drawn(WIDTH),
            "norms.0.bias": drawn(WIDTH),
            "bottleneck.weight": by_column(drawn(WIDTH, WIDTH)),
            "bottleneck.bias": drawn(WIDTH),
            "decoder_weight": by_column(drawn(N_ITEMS, WIDTH)),
            "decoder_bias": drawn(N_ITEMS),
            "linear/shares": np.array([1.0, 0.5]),
            "linear/0.low-pass.vectors": by_column(drawn(N_ITEMS, RANK)),
            "linear/0.low-pass.scale": np.ones(N_ITEMS, dtype=np.float32),
            "linear/1.neighbours.indptr": np.arange(0, near.size + 1, NEAR, dtype=np.int32),
            "linear/1.neighbours.indices": near.ravel(),
            "linear/1.neighbours.data": rng.random(near.size, dtype=np.float32),
            "blend": np.array([0.35, 4.0]),
        }
    )
    items = Index.of([f"item{k}" for k in range(N_ITEMS)], "item")
    card = {"model": "autoencoder", "config": config}
    return ModelBundle(model, items, np.ones(N_ITEMS, dtype=np.float32), card)


def private_mb() -> float:
    """Megabytes of this process that no other shares."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def hold(folder: Path, ready, release, found) -> None:
    """Load, answer a few times, and say how much private memory that took."""
    row = csr_matrix((1, 10), dtype=np.float32)
    create("autoencoder")  # what importing costs is not the question
    row @ np.zeros((10, 10), dtype=np.float32)
    np.ones((600, 600), dtype=np.float32) @ np.ones((600, 600), dtype=np.float32)  # BLAS takes its room
    before = private_mb()
    bundle = ModelBundle.load(folder)
    for column in range(0, 200, 40):
        history = history_row(bundle.items, [f"item{k}" for k in range(column, column + 100)])
        bundle.model.score(history)
        bundle.cosines(column)
    found.put(private_mb() - before)
    ready.set()
    release.wait(60)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux who shares which memory")
def test_a_second_process_shares_the_tables_of_the_first(tmp_path):
    wide_bundle().save(tmp_path / "bundle")
    tables = (tmp_path / "bundle" / "model.safetensors").stat().st_size / 2**20
    context = multiprocessing.get_context("spawn")
    found, release = context.Queue(), context.Event()
    holders, added = [], []
    for _ in range(2):
        ready = context.Event()
        holders.append(context.Process(target=hold, args=(tmp_path / "bundle", ready, release, found)))
        holders[-1].start()
        assert ready.wait(120)
        added.append(found.get(timeout=20))
    release.set()
    for holder in holders:
        holder.join(60)
    assert tables > 100
    assert added[0] > tables  # the control: nobody shares them with the first, as long as it is alone
    assert added[1] < PRIVATE_MB, added


def test_what_is_loaded_is_read_only_and_lies_in_the_file(tmp_path, make_als):
    make_als().save(tmp_path / "bundle")
    for file in (tmp_path / "bundle").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o444
    bundle = ModelBundle.load(tmp_path / "bundle")
    for array in (bundle.popularity, bundle.vectors, *bundle.model.state().values()):
        if array.size > 1:
            assert not array.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_a_loaded_bundle_outlives_its_files(tmp_path, make_als):
    make_als().save(tmp_path / "bundle")
    bundle = ModelBundle.load(tmp_path / "bundle")
    for file in (tmp_path / "bundle").iterdir():
        file.unlink()
    row = history_row(bundle.items, ["a1", "b3"])
    np.testing.assert_array_equal(bundle.model.score(row), make_als().model.score(row))


@pytest.mark.parametrize("by", [np.ascontiguousarray, by_column])
def test_a_table_lies_in_memory_after_loading_as_it_did_before_saving(tmp_path, by):
    table = by(np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32))
    model = create("als", factors=7).restore({"items": table, "regularization": np.array([0.1])})
    items = Index.of([f"i{k}" for k in range(40)], "item")
    card = {"model": "als", "config": {"factors": 7}}
    ModelBundle(model, items, np.ones(40, np.float32), card).save(tmp_path / "bundle")
    loaded = ModelBundle.load(tmp_path / "bundle")
    assert loaded.vectors.flags.c_contiguous == table.flags.c_contiguous
    rows = csr_matrix(np.eye(5, 40, dtype=np.float32))
    np.testing.assert_array_equal(loaded.model.score(rows), model.score(rows))


def test_cosines_are_those_of_the_vectors(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3_000, 5)).astype(np.float32)
    vectors[7] = 0
    model = create("als", factors=5).restore({"items": vectors, "regularization": np.array([0.1])})
    items = Index.of([f"i{k}" for k in range(3_000)], "item")
    bundle = ModelBundle(model, items, np.ones(3_000, np.float32), {"model": "als", "config": {"factors": 5}})
    exact = vectors.astype(np.float64)
    unit = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-300)
    for column in (0, 7, 2_999):
        np.testing.assert_allclose(bundle.cosines(column), unit @ unit[column], atol=1e-6)
        assert bundle.cosines(column).dtype == np.float32
    assert not bundle.cosines(7).any()


def test_a_model_without_vectors_has_neither_lengths_nor_cosines(make_popularity):
    assert make_popularity().lengths is None
    assert make_popularity().cosines(0) is None


def maps_of(folder: Path) -> int:
    """How many maps of files in a folder this process holds, those of removed files too."""
    return sum(str(folder) in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.fixture
def watched(registry):
    models = LiveModels(registry)
    models.watch(0.005)
    yield models
    models.stop()


def test_a_watched_release_is_loaded_in_the_background(registry, watched, make_als, monkeypatch):
    with pytest.raises(NoModel):
        watched.snapshot()
    registry.publish([make_als()])
    held = watched.snapshot()
    entered, gate = threading.Event(), threading.Event()
    load = ModelRegistry.load

    def slow(self, version):
        assert threading.current_thread().name == "releases"
        entered.set()
        assert gate.wait(20)
        return load(self, version)

    (version,) = registry.add([make_als(scale=2.0)])
    registry.promote(version)
    until(lambda: watched.snapshot().release.sequence == 2)
    (version,) = registry.add([make_als(scale=3.0)])
    pointer = registry.pointer.read_text()
    monkeypatch.setattr(ModelRegistry, "load", slow)
    held = watched.snapshot()
    registry.pointer.write_text(pointer.replace(held.release.models["als"], version))
    assert entered.wait(20)
    assert watched.snapshot() is held  # at once, while the next one is being loaded
    gate.set()
    until(lambda: watched.snapshot().release.models == {"als": version})
    assert set(watched.snapshot().bundles) == {version}


def test_after_stopping_a_request_looks_for_itself(registry, watched, make_als):
    registry.publish([make_als()])
    watched.snapshot()
    watched.stop()
    watched.stop()
    (version,) = registry.publish([make_als(scale=2.0)])
    assert watched.snapshot().release.models == {"als": version}


def test_a_refused_release_is_tried_again_while_watched(registry, watched, make_als, monkeypatch):
    monkeypatch.setattr("recsys.serving.live.RETRY_SECONDS", 0.01)
    (first,) = registry.publish([make_als()])
    assert watched.snapshot().release.models == {"als": first}
    broken, load = [True], ModelRegistry.load

    def failing(self, version):
        if broken[0] and version != first and threading.current_thread().name == "releases":
            broken.append(True)
            raise DamagedBundle("made to fail", where="here")
        return load(self, version)

    monkeypatch.setattr(ModelRegistry, "load", failing)
    (second,) = registry.publish([make_als(scale=2.0)])
    until(lambda: len(broken) > 2)  # more than once
    assert watched.snapshot().release.models == {"als": first}
    assert "made to fail" in watched.health()["fault"]
    broken[0] = False
    until(lambda: watched.snapshot().release.models == {"als": second})
    assert watched.health()["fault"] is None


def test_going_back_to_the_release_before_loads_nothing(registry, make_als, monkeypatch):
    models = LiveModels(registry)
    registry.publish([make_als()])
    first = models.snapshot()
    registry.publish([make_als(scale=2.0)])
    models.snapshot()
    registry.rollback()
    monkeypatch.setattr(ModelRegistry, "load", lambda self, version: pytest.fail("loaded again"))
    assert dict(models.snapshot().bundles) == dict(first.bundles)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is mapped")
def test_fifty_swaps_hold_two_releases_and_no_more(registry, make_als):
    models = LiveModels(registry)
    versions = registry.add([make_als(scale=scale) for scale in (1.0, 2.0, 3.0)])
    bundles = weakref.WeakSet()
    for k in range(50):
        registry.promote(versions[k % 3])
        snapshot = models.snapshot()
        assert snapshot.release.models == {"als": versions[k % 3]}
        assert set(snapshot.bundles) == set(snapshot.release.models.values())
        bundles.update(snapshot.bundles.values())
        del snapshot  # the last reference: nothing here waits for the garbage collector
        assert len(bundles) <= 2
        assert maps_of(registry.folder) <= 4  # arrays and card of each
    assert len(bundles) == 2
