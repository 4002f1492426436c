"""Settings: which layer wins, where a value came from, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings
from recsys.errors import SettingError


def test_flags_win_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("port = 1\nworkers = 3\nseed = 7\n[events.rating]\nat = 3.5\n")
    settings = Settings.load(file, {"RECSYS_PORT": "2", "RECSYS_WORKERS": "4"}, {"port": 5, "seed": None})
    assert (settings.port, settings.workers, settings.seed) == (5, 4, 7)
    assert settings.source("port") == "the flag --port"
    assert settings.source("workers") == "the environment (RECSYS_WORKERS)"
    assert settings.source("seed") == str(file)
    assert settings.source("host") == "default"


def test_an_event_section_changes_only_the_fields_it_names() -> None:
    settings = Settings.load(environ={"RECSYS_EVENTS__RATING__AT": "3", "RECSYS_EVENTS__RETURN__DISLIKE": "true"})
    rating, returned = settings.weights.rules["rating"], settings.weights.rules["return"]
    assert (rating.at, rating.transform, rating.combine) == (3.0, "threshold", "last")
    assert returned.dislike


def test_workers_are_handed_exactly_these_settings() -> None:
    settings = Settings.load(
        environ={"RECSYS_MODELS__ALS__FACTORS": "64", "RECSYS_DATABASE_URL": "postgresql://u:p%40ss@h/db"},
        flags={"home": "elsewhere"},
    )
    again = Settings.load(environ=settings.to_environ())
    assert again.model_dump() == {**settings.model_dump(), "home": Path("elsewhere").resolve()}
    assert again.weights.rules == settings.weights.rules


def test_passwords_are_masked_when_settings_are_shown() -> None:
    settings = Settings.load(environ={"RECSYS_DATABASE_URL": "postgresql://u:secret@h/db"})
    assert "secret" not in str(settings.shown())
    assert "postgresql://u:***@h/db" in str(settings.shown())


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"RECSYS_PORT": "many"}, ["'port'", "integer", "'many'", "RECSYS_PORT"]),
        ({"RECSYS_PROT": "1"}, ["no setting called 'prot'", "RECSYS_PROT"]),
        ({"RECSYS_EVENTS__RATING__TRANSFORM": "cube"}, ["events.rating.transform", "'log1p'", "'cube'"]),
        ({"RECSYS_DATABASE_URL": "my:secret@place"}, ["database_url", "postgresql://user@host/name"]),
        ({"RECSYS_CONFIG": "nowhere.toml"}, ["cannot be read", "nowhere.toml"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_source_and_exit_status_2(environ: dict[str, str], words: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.load(environ=environ)
    for word in words:
        assert word in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "recsys.toml"
    file.write_text("port 8000")
    with pytest.raises(SettingError, match="not TOML"):
        Settings.load(file, {})


def test_origins_are_a_list_in_a_file_and_stand_between_commas_in_a_variable(tmp_path):
    given = {"RECSYS_CORS_ORIGINS": "https://shop.example, https://admin.example"}
    assert Settings.load(environ=given).cors_origins == ("https://shop.example", "https://admin.example")
    (tmp_path / "recsys.toml").write_text('cors_origins = ["https://shop.example"]')
    assert Settings.load(tmp_path / "recsys.toml", environ={}).cors_origins == ("https://shop.example",)
    assert Settings.load(environ={}).cors_origins == ()


def test_a_preset_that_cannot_be_used_is_refused_at_the_start_by_name():
    with pytest.raises(SettingError, match="home") as refused:
        Settings.load(environ={"RECSYS_PRESETS__HOME__DIVERSITY": "2"})
    assert "diversity" in str(refused.value)
