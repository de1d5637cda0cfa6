from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cxrscan.scanner.errors import TrainingError
from cxrscan.training.config import CONFIGS, TrainConfig, load_config


def written(folder: Path, text: str) -> str:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_defaults_are_the_plain_recipe() -> None:
    config = load_config(None, {})
    assert config == TrainConfig()
    assert (config.learning_rate, config.batch_size, config.epochs, config.validation_fraction) == (1e-4, 32, 12, 0.16)
    assert config.augment.flip
    assert not config.augment.gamma


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_configuration_that_comes_along_is_found_by_name(path: Path) -> None:
    assert load_config(path.stem, {}).name == path.stem


def test_single_settings_win_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "epochs = 3\n[augment]\nzoom = 0.3\nshift = 0.2\n")
    config = load_config(file, {"epochs": 5, "augment.zoom": 0.1})
    assert (config.epochs, config.augment.zoom, config.augment.shift) == (5, 0.1, 0.2)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"epoch": 3}, "no setting 'epoch'"),
        ({"augment.zooom": 0.1}, "no setting 'augment.zooom'"),
        ({"other.zoom": 0.1}, "no setting 'other.zoom'"),
        ({"augment": 1}, "no setting 'augment'"),
        ({"epochs": "three"}, "epochs must be int"),
        ({"epochs": True}, "epochs must be int"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"validation_fraction": 1.0}, "between 0 and 1"),
        ({"operating_point": "best"}, "operating_point must be one of youden, sens95"),
        ({"style_balance": 0.5}, "style_balance must be at least 1"),
        ({"style_balance": 2.0, "weights": "none"}, "trained on photographs"),
        ({"style_balance": 2.0, "weights": "a.keras"}, "trained on photographs"),
        ({"style_balance": 2.0, "style_weights": "none"}, "trained on photographs"),
        ({"point_temperature": 0.0}, "point_temperature must be positive"),
        ({"findings": -1.0}, "must not be negative"),
        ({"taught": 1.5}, "taught must lie in"),
        ({"taught_heat": -0.5}, "taught must lie in"),
        ({"settle_epochs": 12}, "settle_epochs must be fewer"),
        ({"settle_learning_rate": 0.0}, "settle_learning_rate must be positive"),
        ({"teachers": "one"}, "teachers must be a list of texts"),
        ({"teachers": [1]}, "teachers must be a list of texts"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said) as caught:
        load_config(None, overrides)
    assert caught.value.code == "config-invalid"


@pytest.mark.parametrize("text", ["epochs = = 3", "augment = 3"])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TrainingError) as caught:
        load_config(written(tmp_path, text), {})
    assert caught.value.code == "config-invalid"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        load_config(str(tmp_path / "none.toml"), {})


def test_a_network_settles_on_what_it_was_trained_on() -> None:
    first = load_config("lungs", {})
    then = load_config("settled", {"weights": "lungs/model.keras", "style_weights": "photographs.h5"})
    differing = {f.name for f in fields(TrainConfig) if getattr(first, f.name) != getattr(then, f.name)}
    pace = {"epochs", "films_per_epoch", "learning_rate", "warmup_epochs", "cosine", "ema"}
    assert differing == pace | {"name", "seed", "weights", "style_weights", "weights_source"}


@pytest.mark.parametrize("base", ['"settle"', "3", '""', "[]"])
def test_a_base_that_does_not_exist_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(TrainingError, match="base must be one of lungs, robust, settled, taught"):
        load_config(written(tmp_path, f"base = {base}"), {})


def test_a_file_is_laid_over_its_base(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, 'base = "lungs"\nepochs = 1\n[augment]\nzoom = 0.5\n'), {"seed": 7})
    lungs = load_config("lungs", {})
    assert config == replace(lungs, epochs=1, seed=7, augment=replace(lungs.augment, zoom=0.5))


def test_a_file_may_name_several_teachers(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, 'base = "taught"\nteachers = ["one", "two"]\n'), {})
    assert config.teachers == ("one", "two")
    assert config.is_taught
