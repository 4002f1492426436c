"""Settings: what holds for this run, read once (defaults, a TOML file, the environment, flags) and passed down."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from api.sections import EventSettings, NightlySettings
from recsys.errors import SettingError
from recsys.feedback import RULES, EventRule, FeedbackWeights
from recsys.serving.rules import Preset

PREFIX = "RECSYS_"
RESOLVED = "RECSYS_RESOLVED"  # one variable that hands the finished settings to server workers
CONFIG = "RECSYS_CONFIG"
RUNTIME = "RECSYS_RUNTIME"  # the folder that the processes of one server share while it runs
DEFAULT_FILE = "recsys.toml"


class Settings(BaseModel):
    """Every setting with its default. Field names are the TOML keys; RECSYS_ + the name in capitals is the variable.

    Nested ones are [events.rating] at = 3 in TOML and RECSYS_EVENTS__RATING__AT=3 in the environment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Field(Path("var"), description="the one folder for database, models and reports")
    database_url: str = Field("", description="database; by default SQLite inside home")
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8000, ge=0, le=65535, description="port to serve on")
    workers: int = Field(2, ge=1, le=256, description="server processes")
    default_model: str = Field("autoencoder", description="model that answers when a request names none")
    min_user: int = Field(1, ge=1, description="users with fewer preferred items are left out of training")
    min_item: int = Field(1, ge=1, description="items with fewer users are left out of training")
    half_life_days: float | None = Field(None, gt=0, description="age at which an event counts half; none: no decay")
    seed: int = Field(0, ge=0, description="seed of every random choice")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")
    new_item_share: float = Field(
        0.1, ge=0, le=0.5, description="share of a list for items no model knows yet, by shared categories"
    )
    trend_days: float = Field(7.0, gt=0, le=3650, description="age at which an event counts half in what is trending")
    cache_mb: int = Field(64, ge=0, le=65_536, description="memory for finished answers, a server process")
    require_keys: bool = Field(False, description="ask for an API key on a loopback address too, as behind a proxy")
    rate_limit: float = Field(200, ge=0, le=1e6, description="requests a second an API key may make; 0: no limit")
    rate_burst: int = Field(400, ge=1, le=1_000_000, description="requests at once before that limit counts")
    cors_origins: tuple[str, ...] = Field((), description="origins whose pages may call the API; a,b in a variable")
    log_requests: bool = Field(True, description="a line on standard error for every request")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="of these lines; auto: text on a terminal")
    log_users: Literal["pseudonym", "plain", "none"] = Field(
        "pseudonym", description="how these lines name users; `recsys config pseudonym USER` finds somebody's"
    )
    panel_share: float = Field(
        0.1, ge=0, le=0.5, description="share of the people no version learns from, so that all can be judged by them"
    )
    nightly: NightlySettings = Field(default_factory=NightlySettings, description="the night")
    presets: dict[str, dict[str, Any]] = Field({}, description="named rules for lists: pin, boost, share, ...")
    events: dict[str, EventSettings] = Field({}, description="what an event type is worth")
    models: dict[str, dict[str, Any]] = Field({}, description="configuration of a model, as in train --set")

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("database_url")
    @classmethod
    def _readable_url(cls, value: str) -> str:
        if value:
            from sqlalchemy.engine import make_url  # a quarter of a second, for those who name a database
            from sqlalchemy.exc import ArgumentError

            try:
                make_url(value)
            except ArgumentError as error:
                raise ValueError("not a database URL; write sqlite:///file or postgresql://user@host/name") from error
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _listed_origins(cls, value: Any) -> Any:
        """A variable of the environment is one text: its origins stand between commas."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("presets")
    @classmethod
    def _readable_presets(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, rules in value.items():
            try:
                Preset.of(rules)
            except SettingError as error:
                raise ValueError(f"[presets.{name}]: {error.what}") from error
        return value

    @property
    def url(self) -> str:
        """The database's URL, the default filled in."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'recsys.db'}"

    @property
    def registry_folder(self) -> Path:
        return self.home / "models"

    @property
    def night_folder(self) -> Path:
        return self.home / "night"

    @property
    def reports_folder(self) -> Path:
        return self.home / "reports"

    @cached_property
    def weights(self) -> FeedbackWeights:
        """The rules by event type: the built-in ones, changed and extended by [events.*]."""
        rules = dict(RULES)
        for name, changes in self.events.items():
            base = asdict(rules.get(name, EventRule()))
            rules[name] = EventRule(**{**base, **changes.model_dump(exclude_none=True)})
        return FeedbackWeights(rules, self.half_life_days)

    @cached_property
    def rules(self) -> dict[str, Preset]:
        """The presets by name."""
        return {name: Preset.of(rules) for name, rules in self.presets.items()}

    @classmethod
    def load(
        cls,
        config_file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> Self:
        """Later layers win: defaults, the TOML file, RECSYS_* variables, flags that are not None.

        Raises SettingError naming the setting, the layer it came from and what it may be.
        """
        environ = os.environ if environ is None else environ
        if RESOLVED in environ:
            return cls.model_validate_json(environ[RESOLVED])
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        if config_file is None and environ.get(CONFIG):
            config_file = Path(environ[CONFIG])
        if config_file is None and Path(DEFAULT_FILE).is_file():
            config_file = Path(DEFAULT_FILE)
        if config_file is not None:
            _merge(values, sources, _read_toml(config_file), str(config_file))
        for variable, text in environ.items():
            if variable.startswith(PREFIX) and variable not in (CONFIG, RESOLVED, RUNTIME) and text != "":
                path = variable.removeprefix(PREFIX).lower().split("__")
                _merge(values, sources, _nested(path, text), f"the environment ({variable})")
        for name, value in (flags or {}).items():
            if value is not None:
                _merge(values, sources, {name: value}, f"the flag --{name.replace('_', '-')}")
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            raise _named(error, sources) from error
        settings._sources.update(sources)
        return settings

    def source(self, name: str) -> str:
        """Where a setting came from, in words."""
        return self._sources.get(name, "default")

    def to_environ(self) -> dict[str, str]:
        """The variables that make another process hold exactly these settings."""
        return {RESOLVED: self.model_copy(update={"home": self.home.resolve()}).model_dump_json()}

    def shown(self) -> list[tuple[str, str, str]]:
        """(setting, value, where it came from), one row a setting, passwords masked."""
        rows = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "database_url":
                from sqlalchemy.engine import make_url

                value = make_url(self.url).render_as_string(hide_password=True)
            if isinstance(value, NightlySettings):
                for key, inner in value.model_dump().items():
                    shown = "..." if key == "webhook" and inner else inner  # it may hold a secret
                    rows.append((f"{name}.{key}", json.dumps(shown), self.source(f"{name}.{key}")))
                continue
            if name in ("events", "models", "presets"):
                for key, inner in value.items():
                    plain = inner.model_dump(exclude_none=True) if isinstance(inner, BaseModel) else inner
                    for field_name, field_value in plain.items():
                        full = f"{name}.{key}.{field_name}"
                        rows.append((full, json.dumps(field_value), self.source(full)))
                continue
            rows.append((name, "none" if value is None else str(value), self.source(name)))
        return rows


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            "the configuration file cannot be read", where=f"{path}: {error.strerror}", do="check --config"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            "the configuration file is not TOML", where=f"{path}: {error}", do="mend that line"
        ) from error


def _nested(path: list[str], text: str) -> dict[str, Any]:
    """RECSYS_MODELS__ALS__FACTORS=64 -> {"models": {"als": {"factors": 64}}}; inner values are JSON or text."""
    value: Any = text
    if len(path) > 1:
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
    for key in reversed(path):
        value = {key: value}
    return value


def _merge(
    values: dict[str, Any], sources: dict[str, str], layer: Mapping[str, Any], source: str, at: str = ""
) -> None:
    for key, value in layer.items():
        name = f"{at}{key}"
        if isinstance(value, Mapping):
            inner = values.setdefault(key, {})
            if isinstance(inner, dict):
                _merge(inner, sources, value, source, f"{name}.")
                continue
        values[key] = value
        sources[name] = source


def _named(error: ValidationError, sources: Mapping[str, str]) -> SettingError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    source = sources.get(name) or next((s for n, s in sources.items() if n.startswith(name)), "the settings")
    if first["type"] == "extra_forbidden":
        return SettingError(
            f"there is no setting called '{name}'", where=source, do="`recsys config show` lists every setting"
        )
    given = "" if name == "database_url" else f", not {first['input']!r}"  # a URL may hold a password
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "it should", 1)
    return SettingError(f"setting '{name}': {message}{given}", where=source, do="correct it there")
