"""What log lines call users: the same in all processes, and nothing that can be told without the key."""

import re
import sys

import pytest

from api.pseudonyms import naming
from recsys.errors import SettingError


def test_the_key_of_pseudonyms_is_for_its_owner_alone_and_stays(tmp_path):
    called = naming("pseudonym", tmp_path / "new")("u1")
    assert re.fullmatch("[0-9a-f]{16}", called)
    assert naming("pseudonym", tmp_path / "new")("u1") == called
    assert naming("pseudonym", tmp_path / "other")("u1") != called
    assert naming("pseudonym", tmp_path / "new")("") == ""
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["log.key"]
    assert (tmp_path / "new" / "log.key").stat().st_mode & 0o777 == 0o600


def test_processes_that_make_the_key_together_have_one(tmp_path, run_together):
    program = "import sys; from api.pseudonyms import *; print(naming('pseudonym', Path(sys.argv[1]))('u'))"
    said = {out for out, _ in run_together([sys.executable, "-c", program, str(tmp_path / "home")], 6, tmp_path)}
    assert len(said) == 1


def test_a_key_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="cannot be read or made"):
        naming("pseudonym", tmp_path / "file")
    (tmp_path / "log.key").write_bytes(b"short")
    with pytest.raises(SettingError, match="has 5 bytes"):
        naming("pseudonym", tmp_path)


def test_a_person_can_find_the_lines_of_somebody(run, settings):
    done = run("--home", str(settings.home), "config", "pseudonym", "somebody")
    assert (done.status, done.out) == (0, naming("pseudonym", settings.home)("somebody") + "\n")
