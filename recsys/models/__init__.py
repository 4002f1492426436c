"""The registry of models: a name, and where its class lives. Importing this imports no model and no library."""

from __future__ import annotations

from dataclasses import asdict, fields
from importlib import import_module
from typing import Any

from recsys.errors import SettingError
from recsys.recommender import Recommender

MODELS = {
    "autoencoder": "recsys.models.autoencoder:Autoencoder",
    "als": "recsys.models.als:ALS",
    "ease": "recsys.models.linear:EASE",
    "svd": "recsys.models.svd:SVD",
    "popularity": "recsys.models.popularity:Popularity",
}


def model_class(name: str) -> Any:
    """The class behind a name, or behind "name:preset". SettingError, with the names there are, when there is none."""
    name, _, _ = name.partition(":")
    if name not in MODELS:
        raise SettingError(f"no model is called '{name}'", do=f"use one of: {', '.join(MODELS)}")
    module, class_name = MODELS[name].split(":")
    return getattr(import_module(module), class_name)


def create(name: str, **config: Any) -> Recommender:
    """An unfitted model, by its name or as "name:preset", a set of settings that the model knows by name.

    config: fields of its Config, or its preset; SettingError for what it has not.
    """
    cls = model_class(name)
    name, _, preset = name.partition(":")
    if preset:
        config = {"preset": preset, **config}
    if hasattr(cls, "expand"):
        config = cls.expand(config)
    known = {f.name for f in fields(cls.Config)}
    unknown = sorted(set(config) - known)
    if unknown:
        raise SettingError(
            f"model '{name}' has no setting called '{unknown[0]}'",
            do=f"its settings are: {', '.join(sorted(known)) or '(none)'}",
        )
    return cls(cls.Config(**config))


def config_of(model: Recommender) -> dict[str, Any]:
    """A model's configuration as plain values, ready for JSON and for ``create``."""
    return asdict(model.config)
