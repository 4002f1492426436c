"""recsys keys: the secret comes out once, alone, and nothing else ever shows it."""

import json
import os
import re
from pathlib import Path

import pytest

from api.app import create_app
from api.settings import Settings

KEY = re.compile(r"rk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")


def create(run, *arguments):
    outcome = run("keys", "create", *arguments)
    assert outcome.status == 0, outcome.err
    return outcome


def listed(run):
    return json.loads(run("keys", "list", "--json").out)


def test_a_key_is_printed_once_and_alone(run):
    outcome = create(run, "shop", "--scope", "feedback", "--scope", "read")
    text = outcome.out.removesuffix("\n")
    assert KEY.fullmatch(text)
    id_, secret = text.split("_", 2)[1:]
    assert id_ in outcome.err
    assert "read, feedback" in outcome.err
    assert secret not in outcome.err
    for shown in (run("keys", "list"), run("keys", "list", "--json")):
        assert id_ in shown.out
        assert secret not in shown.out + shown.err
    (row,) = listed(run)
    assert set(row) == {"id", "name", "scopes", "created", "revoked"}
    assert (row["id"], row["name"], row["scopes"], row["revoked"]) == (id_, "shop", ["read", "feedback"], None)


def test_no_secret_is_kept_in_the_database(run):
    secrets = [create(run, f"shop{number}", "--scope", "admin").out.strip().split("_", 2)[2] for number in range(3)]
    files = [path for path in Path("var").rglob("*") if path.is_file()]
    assert files
    held = b"".join(path.read_bytes() for path in files)
    assert b"shop2" in held
    assert not any(secret.encode() in held for secret in secrets)


def test_a_key_works_until_it_is_revoked(run):
    text = create(run, "shop", "--scope", "read").out.strip()
    app = create_app(Settings(home=Path("var"), host="0.0.0.0"))
    client, sent = app.test_client(), {"Authorization": f"Bearer {text}"}
    path = "/v1/models"
    assert client.get(path, headers=sent).status_code == 200
    id_ = text.split("_")[1]
    assert run("keys", "revoke", id_).status == 0
    assert client.get(path, headers=sent).status_code == 401
    assert listed(run)[0]["revoked"]
    again = run("keys", "revoke", id_)
    assert again.status == 1
    assert "recsys keys list" in again.err
    app.extensions["recsys"].store.close()


@pytest.mark.parametrize(
    "arguments",
    [("shop",), ("shop", "--scope", "everything"), ("shop", "--scope", ""), ("--scope", "read")],
)
def test_a_key_must_have_a_name_and_a_known_scope(run, arguments):
    outcome = run("keys", "create", *arguments)
    assert outcome.status == 2
    assert not outcome.out


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\x1b[31m"])
def test_a_name_that_cannot_be_kept_is_refused(run, name):
    outcome = run("keys", "create", name, "--scope", "read")
    assert outcome.status == 1
    assert not outcome.out
    assert "\x1b" not in outcome.err


def test_without_keys_the_list_says_how_to_make_one(run):
    create(run, "shop", "--scope", "read")
    id_ = listed(run)[0]["id"]
    assert run("keys", "revoke", id_).status == 0
    assert run("keys", "revoke", "0" * 16).status == 1
    assert run("keys", "revoke", os.fsdecode(b"\xff")).status == 1
