"""The peers, RecBole's MultiDAE and Cornac's VAECF: trained in an environment of their own, judged after every epoch.

Their own training code runs unchanged, with their own defaults but for the widths; only the loop over epochs, or what
it says to the outside, is replaced by a clock. Reading the data, building the model and our evaluation do not count.
RecBole's default batch, 2,048, is a few steps an epoch on a set of thousands of people: it also runs with the 500 of
the paper (Liang et al. 2018).
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.train.split import Parts, judged


class Watch:
    """The curve of one peer: told of the seconds of each epoch, it judges the model and knows when to stop.

    It stops after ``epochs``, or ``patience`` epochs after the best one.
    """

    def __init__(self, name: str, parts: Parts, score: Callable[[csr_matrix], np.ndarray], limits: tuple[int, int]):
        self.name, self.parts, self.score = name, parts, score
        self.epochs, self.patience = limits
        self.seconds: list[float] = []
        self.values: list[float] = []
        self.test = 0.0  # at the best epoch

    def __call__(self, seconds: float) -> bool:
        """After an epoch that took ``seconds``: is there another one?"""
        self.seconds.append(seconds)
        self.values.append(judged(self, self.parts.validation))
        best = int(np.argmax(self.values))
        if best == len(self.values) - 1:
            self.test = judged(self, self.parts.test)
        done = len(self.values)
        more = done < self.epochs and done - 1 - best < self.patience
        if done % 10 == 0 or not more:
            spent = sum(self.seconds)
            print(f"{self.name}: epoch {done}, {spent:.0f} s, best {max(self.values):.4f}", file=sys.stderr, flush=True)
        return more

    def found(self) -> dict[str, Any]:
        curve = list(zip(np.cumsum(self.seconds).tolist(), self.values, strict=True))
        return {"epoch_seconds": self.seconds, "curve": curve, "validation": max(self.values), "test": self.test}


def recbole(name: str, parts: Parts, device: str, seed: int, limits: tuple[int, int], **more: Any) -> Watch:
    """MultiDAE 600-200-600, everything else RecBole's default. Works in the current folder: RecBole writes there."""
    for old, new in (("float_", "float64"), ("complex_", "complex128"), ("unicode_", "str_")):
        setattr(np, old, getattr(np, new))  # names numpy 2 dropped, which RecBole 1.2 asks for by name
    from recbole.config import Config
    from recbole.data import create_dataset, get_dataloader
    from recbole.model.general_recommender.multidae import MultiDAE
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    Path("dataset/split").mkdir(parents=True)
    row = np.repeat(np.arange(parts.train.shape[0]), np.diff(parts.train.indptr))
    with Path("dataset/split/split.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\n")
        np.savetxt(file, np.column_stack([row, parts.train.indices]), fmt="%d", delimiter="\t")
    settings = {
        "data_path": "dataset",
        "load_col": {"inter": ["user_id", "item_id"]},
        "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}},
        "mlp_hidden_size": [600],
        "latent_dimension": 200,
        "seed": seed,
        "gpu_id": "0" if device == "cuda" else "",
        "show_progress": False,
        "state": "ERROR",
        **more,
    }
    arguments, sys.argv = sys.argv, sys.argv[:1]  # Config reads the command line
    config = Config(model="MultiDAE", dataset="split", config_dict=settings)
    sys.argv = arguments
    init_seed(config["seed"], config["reproducibility"])
    logging.getLogger().setLevel(logging.ERROR)
    dataset = create_dataset(config).build()[0]
    loader = get_dataloader(config, "train")(config, dataset, None, shuffle=True)
    model = MultiDAE(config, dataset).to(config["device"])
    trainer = Trainer(config, model)
    known = np.unique(parts.train.indices)
    columns = dataset.token2id(dataset.iid_field, known.astype(str))

    def score(rows: csr_matrix) -> np.ndarray:
        import torch

        inputs = np.zeros((rows.shape[0], model.n_items), dtype=np.float32)
        inputs[:, columns] = rows[:, known].toarray() > 0
        model.eval()
        with torch.no_grad():
            logits = model.forward(torch.from_numpy(inputs).to(config["device"])).cpu().numpy()
        return _spread(logits[:, columns], known, rows.shape)

    watch = Watch(name, parts, score, limits)
    more = True
    while more:
        started = time.perf_counter()
        trainer._train_epoch(loader, len(watch.seconds))
        more = watch(time.perf_counter() - started)
    return watch


def cornac(name: str, parts: Parts, device: str, seed: int, limits: tuple[int, int]) -> Watch:
    """VAECF 600-200-600, everything else Cornac's default."""
    from cornac.data import Dataset
    from cornac.models import VAECF
    from cornac.models.vaecf import vaecf

    known = np.unique(parts.train.indices)
    coo = parts.train.tocoo()
    rows = Dataset.from_uir(list(zip(coo.row.tolist(), coo.col.tolist(), [1.0] * coo.nnz, strict=True)), seed=seed)
    columns = np.array([rows.iid_map[item] for item in known.tolist()])
    model = VAECF(k=200, autoencoder_structure=[600], n_epochs=limits[0], seed=seed, use_gpu=device == "cuda")

    def score(asked: csr_matrix) -> np.ndarray:
        import torch

        inputs = np.zeros((asked.shape[0], rows.num_items), dtype=np.float32)
        inputs[:, columns] = asked[:, known].toarray() > 0
        with torch.no_grad():
            code, _ = model.vae.encode(torch.from_numpy(inputs).to(model.device))
            probabilities = model.vae.decode(code).cpu().numpy()
        return _spread(probabilities[:, columns], known, asked.shape)

    watch = Watch(name, parts, score, limits)

    class Clock:
        """In the place of tqdm's range: between two epochs the clock stands still and the model is judged."""

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def __iter__(self) -> Iterator[int]:
            more = True
            while more:
                started = time.perf_counter()
                yield len(watch.seconds)
                more = watch(time.perf_counter() - started)

        def set_postfix(self, **_: Any) -> None: ...

    vaecf.trange = Clock
    model.fit(rows)
    return watch


def _spread(scores: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scores of some columns among all; items nobody in the training part took cannot be recommended by a peer."""
    whole = np.full(shape, -np.inf, dtype=np.float32)
    whole[:, columns] = scores
    return whole


PEERS: Mapping[str, Callable[..., Watch]] = {
    "RecBole MultiDAE": recbole,
    "RecBole MultiDAE, batch 500": partial(recbole, train_batch_size=500),
    "Cornac VAECF": cornac,
}


def measure(folder: str, name: str, device: str, seed: int, epochs: int, patience: int) -> dict[str, Any]:
    """One peer on the split in a folder: seconds of every epoch, curve of (training seconds, ndcg@100), bests."""
    import torch

    watch = PEERS[name](name, Parts.load(folder), device, seed, (epochs, patience))
    return {**watch.found(), "torch": torch.__version__, "threads": torch.get_num_threads()}
