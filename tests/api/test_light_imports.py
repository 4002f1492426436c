"""Serving stays light: a fresh interpreter that answers a request has not loaded what only training needs."""

import json
import os
import subprocess
import sys

HEAVY = [
    "torch",
    "implicit",
    "pandas",
    "pyarrow",
    "adbc_driver_manager",
    "adbc_driver_sqlite",
    "alembic",
    "matplotlib",
    "sklearn",
    "optuna",
]

PROGRAM = """
import json, sys
from api.app import create_app
client = create_app().test_client()
answer = client.get("/v1/users/u1/recommendations")
page = client.get("/?user=u1")
posted = client.post("/v1/feedback", json={"events": [{"user": "u2", "item": "a1", "event": "like"}]})
print(json.dumps({"status": [answer.status_code, page.status_code, posted.status_code],
                  "strategy": answer.get_json()["strategy"],
                  "loaded": [name for name in json.loads(sys.argv[1]) if name in sys.modules]}))
"""


def test_serving_loads_neither_torch_nor_implicit_nor_pandas(app, settings):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        env={**os.environ, **settings.to_environ()},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": [200, 200, 200], "strategy": "personal", "loaded": []}
