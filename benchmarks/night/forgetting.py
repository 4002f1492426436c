"""Benchmark: whoever is forgotten leaves no trace, and retraining gives the model of data that never held them.

    python -m benchmarks.night.forgetting [--interactions FILE] [--people 20] [--models als,autoencoder]

For each of some people: a home that knows them, with models and a report, is served; they post events, have lists made
ahead and rows put aside, and are answered; half are deleted over HTTP, half with `recsys forget`. Then every byte under
the home (database, write-ahead log, models, reports with their tables unpacked, the server's log) and the server's
caches are searched for their id, which must have been found before. The home is trained anew, and so is one whose data
never held them: the digests must be equal, and other than with them there, unless they were on the panel. Every version
that may have learnt from them must be marked. Status 1 when any of that fails. Every command is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

import migrations
from api.app import create_app
from api.settings import Settings
from data import readers, sample
from data.records import BadRow, Batch
from data.store import Store
from recsys.interactions import Encoded, Interactions
from recsys.panel import on_panel
from recsys.serving.registry import ModelRegistry
from recsys.serving.versions import parts_of

ROOT = Path(__file__).resolve().parents[2]
TAGGED = "who-{}-may-be-forgotten"  # makes an id such as 12 one that stands nowhere by chance, nor in another id
CONFIG = """
[models.als]
factors = 16
iterations = 5
[models.autoencoder]
layers = [64]
bottleneck = 16
linear = "none"
epochs = 3
"""


class Outcome(NamedTuple):
    """What became of one person. places: where the id stood before; left: where after. marked: of how many versions."""

    user: str
    panel: bool
    places: int
    left: list[str]
    marked: tuple[int, int]
    equal: bool
    depended: bool

    @property
    def well(self) -> bool:
        """The person was there, is nowhere, and every model is as if they had never been; of those on the panel no
        model had learnt anything in the first place."""
        learnt = 0 if self.panel else self.marked[1]
        return (
            self.places >= 4
            and not self.left
            and self.marked[0] == learnt
            and self.equal
            and self.depended != self.panel
        )


def main(interactions: Path | None, people: int, models: Sequence[str]) -> bool:
    """Print a row a person; whether all is as it should be."""
    events = tagged(interactions)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "recsys.toml").write_text(CONFIG)
        base = folder / "base"
        fill(base, events)
        before = trained(folder, base, models)
        recsys(folder, base, "evaluate", "--models", "als,popularity", "--quick")
        print(f"{len(events):,} events, {len(events.user.labels):,} people; with all of them: {before}")
        print(f"{'user':<36}{'door':<6}{'panel':<7}{'found':>6}{'left':>6}{'marked':>8}  digests")
        outcomes = []
        for number, user in enumerate(chosen(base, events, people)):
            door = ("http", "cli")[number % 2]
            one = forgotten(folder, events, user, door, models, before)
            outcomes.append(one)
            marked, digests = f"{one.marked[0]}/{one.marked[1]}", "equal" if one.equal else "DIFFERENT"
            apart = "yes" if one.panel else "no"
            row = f"{user:<36}{door:<6}{apart:<7}{one.places:>6}{len(one.left):>6}{marked:>8}  {digests}"
            print(row + ("" if one.well else f"  NOT WELL: {one}"), flush=True)
    print(f"equal: {sum(one.equal for one in outcomes)} of {people}; traces: {sum(len(one.left) for one in outcomes)}")
    return all(one.well for one in outcomes)


def forgotten(
    folder: Path, events: Interactions, user: str, door: str, models: Sequence[str], before: dict[str, str]
) -> Outcome:
    """Forget one person in a copy of the home, and train it and one that never held them."""
    home, never = folder / "forgot", folder / "never"
    shutil.copytree(folder / "base", home)
    settings = Settings(home=home, default_model=models[0], log_format="json")
    with served(settings) as client:
        plant(client, settings, user)
        places = traces(home, client, user)
        if door == "http":
            answer = client.delete(f"/v1/users/{user}")
            assert answer.status_code == 204, answer.get_data(as_text=True)
            receipt = client.get(f"/v1/receipts/{answer.headers['Receipt']}").get_json()
        else:
            receipt = json.loads(recsys(folder, home, "forget", user, "--json"))
        client.get("/v1/users/somebody-else/recommendations")  # any request tells a server of what others did
        left = traces(home, client, user)
        assert client.get(f"/v1/users/{user}/recommendations").get_json()["strategy"] != "personal"
    kept = ModelRegistry(settings.registry_folder).versions()
    fill(never, events.take(events.user.decode() != user))
    digests = trained(folder, home, models), trained(folder, never, models)
    (panel,) = on_panel([user], _panel(home))
    for one in (home, never):
        shutil.rmtree(one)
    marked = (len(receipt["versions"]), len(kept))
    return Outcome(user, bool(panel), len(places), left, marked, digests[0] == digests[1], digests[0] != before)


def plant(client: Any, settings: Settings, user: str) -> None:
    """Leave the id wherever the program may leave one."""
    item = client.get(f"/v1/users/{user}/history").get_json()["events"][0]["item"]
    event = {"user": user, "item": item, "event": "view", "id": f"sent by {user}"}
    for key in ("one", f"of {user}"):
        client.post("/v1/feedback", json={"events": [event]}, headers={"Idempotency-Key": key})
    client.put(f"/v1/users/{user}", json={"attributes": {"mail": user}})
    bad = BadRow(f"exports/{user}.csv", 3, f"no item: '{user}'", f'{user},,"5"')
    with Store.open(settings.url) as store:
        store.import_batches(f"exports/{user}.csv", [Batch(Interactions.empty(), [bad])])
        store.put_lists("als", "v1", [(user, [(item, 1.0)])])
    for ask in ("recommendations", "recommendations?explain=true", "similar"):
        assert client.get(f"/v1/users/{user}/{ask}").status_code == 200


def traces(home: Path, client: Any, user: str) -> list[str]:
    """Where the id stands: in any byte of any file, of tables unpacked, and in what the server keeps in memory."""
    found = []
    for file in (one for one in home.rglob("*") if one.is_file()):
        held = file.read_bytes()
        if file.suffix == ".parquet":
            held += repr(pq.read_table(file).to_pylist()).encode()
        if user.encode() in held:
            found.append(str(file.relative_to(home)))
    here = client.application.extensions["recsys"]
    kept = {"answers": here.cache._kept, "histories": here.memory._histories, "marks": here.memory._kept}
    return found + [name for name, one in kept.items() if user in repr(one._held)]


@contextmanager
def served(settings: Settings) -> Iterator[Any]:
    """A client of the app, whose log goes to a file of the home."""
    app = create_app(settings)
    kept = os.dup(2)
    with (settings.home / "server.log").open("wb") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield app.test_client()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        app.extensions["recsys"].store.close()


def tagged(interactions: Path | None) -> Interactions:
    """A file's events, or the sample's, by people whose ids can be searched for."""
    events, _ = readers.read_all(interactions or sample.folder() / "interactions.csv")
    labels = np.array([TAGGED.format(label) for label in events.user.labels], dtype=object)
    return replace(events, user=Encoded(events.user.codes, labels))


def chosen(home: Path, events: Interactions, people: int) -> list[str]:
    """Those whom the report names first, then others by chance; the same each time."""
    (report,) = (home / "reports").glob("*/report.json")
    named = [one["user"] for one in json.loads(report.read_text())["examples"]][: people // 2]
    others = np.random.default_rng(0).permutation(np.setdiff1d(events.user.labels.astype(str), named))
    return [*named, *others.tolist()][:people]


def fill(home: Path, events: Interactions) -> None:
    home.mkdir()
    with Store.open(Settings(home=home).url, create=True) as store:
        migrations.upgrade(store.engine)
        store.import_batches("events", [Batch(events)])


def trained(folder: Path, home: Path, models: Sequence[str]) -> dict[str, str]:
    """model -> digest of the version that training puts live."""
    recsys(folder, home, "train", *(word for name in models for word in ("--model", name)), "--publish")
    live = ModelRegistry(Settings(home=home).registry_folder).live().models
    return {name: parts_of(version)[2] for name, version in live.items()}


def _panel(home: Path) -> float:
    registry = ModelRegistry(Settings(home=home).registry_folder)
    return float(registry.card(registry.versions()[0])["panel"])


def recsys(folder: Path, home: Path, *words: str) -> str:
    """What a command prints, run in a process of its own."""
    command = [sys.executable, "-m", "api.cli", "--config", str(folder / "recsys.toml"), "--home", str(home), *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Whether whoever is forgotten leaves no trace, in models either.")
    parser.add_argument("--interactions", type=Path, help="a file; by default the sample")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--models", default="als,autoencoder")
    asked = parser.parse_args()
    fine = main(asked.interactions, asked.people, asked.models.split(","))
    print("\nall as it should be" if fine else "\nNOT as it should be")
    sys.exit(0 if fine else 1)
