"""Names of models, and of sets of their settings."""

from __future__ import annotations

import pytest

from recsys.errors import SettingError
from recsys.models import config_of, create, model_class


def test_a_preset_is_asked_for_behind_the_model_s_name():
    assert config_of(create("autoencoder:mult-vae")) == config_of(create("autoencoder", preset="mult-vae"))
    assert config_of(create("autoencoder:mult-vae", beta=0.5))["beta"] == 0.5
    assert model_class("autoencoder:mult-vae") is model_class("autoencoder")


def test_a_preset_that_nobody_has_is_refused_by_name():
    with pytest.raises(SettingError, match="'multi-vae'"):
        create("autoencoder:multi-vae")
    with pytest.raises(SettingError, match="'preset'"):
        create("popularity:mult-vae")
