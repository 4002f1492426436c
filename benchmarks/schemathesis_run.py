"""Proof: schemathesis over /openapi.json finds no answer of 5xx and no request answered otherwise than described, and
leaves nothing in the store that a store must not hold.

    python -m benchmarks.schemathesis_run [--examples 20] [--url postgresql://...]     exit status 1: a promise broken
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from api.keys import new_key
from api.limits import MAX_VALUE
from benchmarks.process import ROOT
from benchmarks.serve.drill import Found, happened, holds
from benchmarks.serve.home import Home, Shape, make_home
from benchmarks.serve.server import serving
from data.checks import check_item, check_user
from data.records import MAX_EVENT, check_columns, check_id
from data.store import Store
from recsys.errors import DataError, RecsysError

SMALL = Shape(users=200, items=1_000, width=32)
_SECONDS = 4 * 3600
_PAGE = 10_000
# Left to others: keys (tests/api/test_matrix.py goes through every route with each kind of key; a loopback server
# lets callers without one in). Ids may hold slashes, so that what is under /v1/items/{item} is an item, too: the
# methods of PUT /v1/items/{item} hold for the path /v1/items/a/similar, and the checks of methods cannot know that.
_CONFIG = """
hooks = {hooks}
[generation]
with-security-parameters = false
allow-x00 = false
[checks]
negative_data_rejection.expected-statuses = ["4xx"]
ignored_auth.enabled = false
unsupported_method.enabled = false
allow_header_conformance.enabled = false
"""


def main(home: Home, *, examples: int, seed: int = 0, workers: int = 2) -> Found:
    """ "cases": how many; "failures": kind -> how many; "server_errors"; "stored": how many of what was checked."""
    broken: list[str] = []
    text, record = new_key("schemathesis", ["admin"])
    with home.store() as store:
        store.put_key(record)
        before = store.stats()
    with serving(home, workers, rate_limit="0", log_requests="false") as server:
        report = _run(f"http://127.0.0.1:{server.port}/openapi.json", text, examples, seed, home.folder)
        holds(broken, len(server.workers()) == workers, "a worker died")
        holds(broken, "Traceback" not in server.said(), f"the server wrote a traceback: {server.log}")
    failures = Counter({failure["type"]: failure["count"] for failure in report["failures"]})
    holds(broken, not failures, f"schemathesis: {dict(failures)}, told in {home.folder / 'schemathesis.txt'}")
    holds(broken, not report["errors"], f"schemathesis could not run {len(report['errors'])} cases")
    with home.store() as store:
        after = store.stats()
        stored, faults = check_stored(store)
    happened(after != before, "nothing was stored")
    holds(broken, not faults, f"stored against the rules: {len(faults)}, the first: {faults[:1]}")
    return {
        "cases": report["test_cases"]["generated"],
        "operations": report["operations"]["tested"],
        "failures": dict(failures),
        "server_errors": failures["ServerError"],
        "stored": stored,
        "broken": broken,
    }


def check_stored(store: Store) -> tuple[dict[str, int], list[str]]:
    """(how many users, items and interactions there are, what is wrong with any of them in words)."""
    faults: list[str] = []

    def check(function: Any, *arguments: Any) -> None:
        try:
            function(*arguments)
        except DataError as error:
            faults.append(str(error))

    counts = {"users": 0, "items": 0}
    for name, read, rule in (("users", store.list_users, check_user), ("items", store.list_items, check_item)):
        while page := read(counts[name], _PAGE):
            for one in page:
                check(rule, one)
            counts[name] += len(page)
    events = store.interactions()
    check(check_columns, events)
    for column, noun, longest in (
        (events.user, "user", 255),
        (events.item, "item", 255),
        (events.event, "event", MAX_EVENT),
    ):
        for label in column.labels.tolist():
            check(check_id, label, noun, longest)
    faults += [f"value {value}" for value in events.value.tolist() if abs(value) > MAX_VALUE]
    return {**counts, "interactions": len(events)}, faults


def _run(address: str, key: str, examples: int, seed: int, folder: Path) -> dict[str, Any]:
    """The report of a run. RecsysError when it came to none, or stopped early."""
    config, report, told = folder / "schemathesis.toml", folder / "schemathesis.json", folder / "schemathesis.txt"
    config.write_text(_CONFIG.format(hooks=json.dumps("benchmarks.schemathesis_hooks")), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--no-color",
        "--config-file",
        str(config),
        "run",
        address,
        "--continue-on-failure",
    ]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--header", f"Authorization: Bearer {key}"]
    command += ["--workers", "2", "--report", "json", "--report-json-path", str(report), "--request-timeout", "30"]
    with told.open("wb") as out:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}  # where the hooks are
        subprocess.run(
            command, env=environ, cwd=folder, stdout=out, stderr=subprocess.STDOUT, timeout=_SECONDS, check=False
        )
    if not report.is_file():
        raise RecsysError("schemathesis came to no report", where=str(told), do="read what it said")
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if not found["complete"]:
        raise RecsysError(f"schemathesis stopped early: {found['stop_reason']}", where=str(told))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=20, help="cases an operation, beside those of every boundary")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", default="", help="an empty PostgreSQL database; by default SQLite")
    parser.add_argument("--folder", type=Path, help="where to work and leave what was said; by default a temporary one")
    asked = parser.parse_args()
    place = asked.folder or Path(tempfile.mkdtemp(prefix="schemathesis-"))
    result = main(make_home(place / "home", SMALL, asked.url), examples=asked.examples, seed=asked.seed)
    print(json.dumps(result, indent=1))
    sys.exit(1 if result["broken"] else 0)
