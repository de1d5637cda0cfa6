"""Everything that a training run can be told, with unit and default; TOML files set the same fields."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.network.config import NetworkConfig

OPERATING_POINTS = ("youden", "sens95", "spec95", "half")
CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How films are varied while training. The defaults are the plain recipe; 0 switches a kind off."""

    plain: float = 0.0
    """Share of the films that are left as they are but for the flip."""
    rotation_deg: float = 10.0
    """Largest rotation either way."""
    zoom: float = 0.1
    """Largest relative change of size, each axis by itself: originals differ in aspect ratio."""
    shift: float = 0.1
    """Largest shift as a share of the side."""
    flip: bool = True
    """Mirror half of the films left to right."""
    brightness: float = 0.0
    """Largest value added or taken away, in units of the full range."""
    contrast: float = 0.0
    """Largest relative change of the distance from the mean."""
    gamma: float = 0.0
    """Exponents from 1 / (1 + gamma) to 1 + gamma."""
    jpeg_quality_min: int = 0
    """Half of the films are JPEG-coded again at a quality from here to 95."""
    resample: float = 0.0
    """Share of the films that are shrunk to 40-90 % and enlarged again with a random kernel."""
    blur_px: float = 0.0
    """Largest standard deviation of a Gaussian blur, on a third of the films."""
    noise: float = 0.0
    """Largest standard deviation of Gaussian noise, on a third of the films."""
    border: float = 0.0
    """Share of the films that get a flat border on one or more sides."""
    erase: float = 0.0
    """Share of the films that lose a patch near a corner, where letters are burnt in."""
    sides: float = 0.0
    """How often the sides are covered, so that arms and shoulders are no evidence."""
    restyle: float = 0.0
    """Share of the films that get tones and sharpness of a film of another class or population; see ``restyle``."""


@dataclass(frozen=True, slots=True)
class TrainConfig(NetworkConfig):
    """One training run. The defaults are the plain recipe."""

    name: str = "recipe"
    """Name of the configuration, recorded in the bundle."""
    weights_source: str = ""
    """Where a weight file comes from and under which licence, for the model card."""
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup_epochs: float = 0.0
    """Epochs of linearly rising learning rate."""
    cosine: bool = False
    """Let the learning rate fall to zero along a cosine; else it stays."""
    settle_epochs: int = 0
    """Epochs in the end that go on at an even pace; the running average of the weights begins anew with them."""
    settle_learning_rate: float = 1e-4
    """The even pace, after a warm-up like the first."""
    ema: float = 0.0
    """Momentum of the running average of the weights that is kept in the end; 0 keeps the last weights."""
    label_smoothing: float = 0.0
    stray_heat: float = 0.0
    """Weight in the loss of the share of Grad-CAM that lies on normal film; see ``guide_heat``."""
    outer_heat: float = 0.0
    """Weight in the loss of the share of Grad-CAM that lies in the outer ring of cells."""
    outer_heat_free: float = 0.0
    """Share in the outer ring that costs nothing."""
    missing_heat: float = 0.0
    """Weight in the loss of Grad-CAM that is missing for its sum to account for the log-odds."""
    mix: float = 0.0
    """Share of the films over which a part of another film is laid, so that ``stray_heat`` knows where it is normal."""
    point_heat: float = 0.0
    """Weight in the loss of heat that points elsewhere than into the boxes of a film; see ``guide_heat``."""
    point_temperature: float = 0.15
    """Difference of heat, in units of the logit, by which one cell outshines another e times."""
    findings: float = 0.0
    """Weight in the loss of the findings that reports tell, which the network is asked for while it learns."""
    teachers: tuple[str, ...] = ()
    """Folders of bundles whose mean answer is a target besides the labels; see ``TaughtLoss``."""
    taught: float = 0.0
    """Share of the cross-entropy that has the teachers' probability for its target; the labels have the rest."""
    taught_heat: float = 0.0
    """Weight in the loss of cells that add something else to the log-odds than they do in the teachers."""
    class_weight: bool = True
    """Weigh films so that both classes count the same."""
    balanced: bool = False
    """Draw films so that populations, classes and views come equally often, instead of each film once."""
    style_balance: float = 1.0
    """How many times as often a film is drawn, at most, when its class is rare among films of its style; 1: no more."""
    style_weights: str = ""
    """Weights that were trained on photographs, to tell styles with; empty: ``weights``, which then must be such."""
    films_per_epoch: int = 0
    """How many films an epoch draws when ``balanced``; 0: as many as there are."""
    operating_point: str = "sens95"
    """The default one: ``sens95``, ``youden``, ``spec95`` or ``half``. In a new place the normal films drift towards
    pneumonia, so that specificity is what gets lost; hence the highest threshold that still finds 95 % of the shifted
    films with pneumonia. Where one population is much harder than another, that is too low for the easy one."""
    prior: float = 0.5
    """Share of films with pneumonia that the probabilities assume."""
    validation_fraction: float = 0.16
    """Share of the films held out, whole patients at a time."""
    split_seed: int = 0
    """Of the split; runs with other seeds stay comparable."""
    data_source: str = "not stated"
    """Where the films come from and under which licence, for the model card."""
    population: str = "the people of the training films (not stated)"
    """Whom the films show, for the model card."""
    views: str = "AP"
    """Views of the training films, with spaces between; the gate warns of others that a DICOM header states."""
    below_years: float = 18.0
    """Age that nobody on the training films has reached; the gate warns of older people. 0: children and adults."""
    licence: str = "not stated"
    """Licence of the trained weights."""
    mixed_precision: bool = False
    """Compute in float16 on GPUs; the weights stay float32."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    @property
    def guides_heat(self) -> bool:
        """Whether Grad-CAM counts in the loss."""
        return max(self.stray_heat, self.outer_heat, self.missing_heat, self.point_heat) > 0

    @property
    def sees_styles(self) -> bool:
        """Whether there are weights that were trained on photographs."""
        weights = self.style_weights or self.weights
        return not (weights == "none" or weights.endswith(".keras"))

    @property
    def is_taught(self) -> bool:
        """Whether the answers of other networks count in the loss."""
        return max(self.taught, self.taught_heat) > 0

    def __post_init__(self) -> None:
        """Refuse values that no run can work with."""
        NetworkConfig.__post_init__(self)
        for ok, what in (
            (self.epochs >= 1, "epochs must be at least 1"),
            (0 <= self.settle_epochs < self.epochs, "settle_epochs must be fewer than epochs"),
            (self.settle_learning_rate > 0, "settle_learning_rate must be positive"),
            (0 <= self.taught <= 1 and self.taught_heat >= 0, "taught must lie in [0, 1], taught_heat not below 0"),
            (self.batch_size >= 1, "batch_size must be at least 1"),
            (self.learning_rate > 0, "learning_rate must be positive"),
            (0 < self.validation_fraction < 1, "validation_fraction must lie between 0 and 1"),
            (0 < self.prior < 1, "prior must lie between 0 and 1"),
            (0 <= self.ema < 1, "ema must lie in [0, 1)"),
            (
                min(self.stray_heat, self.outer_heat, self.missing_heat, self.point_heat, self.findings) >= 0,
                "stray_heat, outer_heat, missing_heat, point_heat and findings must not be negative",
            ),
            (self.point_temperature > 0, "point_temperature must be positive"),
            (
                self.operating_point in OPERATING_POINTS,
                f"operating_point must be one of {', '.join(OPERATING_POINTS)}",
            ),
            (self.style_balance >= 1, "style_balance must be at least 1"),
            (
                self.style_balance == 1 or self.sees_styles,
                "style_balance needs weights that were trained on photographs: initial ones, or style_weights",
            ),
            (self.films_per_epoch >= 0, "films_per_epoch must not be negative"),
            (0 <= self.label_smoothing < 1, "label_smoothing must lie in [0, 1)"),
        ):
            if not ok:
                raise TrainingError("config-invalid", f"{what}.")


_Config = TypeVar("_Config", AugmentConfig, TrainConfig)


def load_config(file: str | None, overrides: Mapping[str, Any]) -> TrainConfig:
    """Read a TOML file, if one is given, and lay single settings over it.

    Parameters
    ----------
    file
        Path, or the name of one of the configurations that come with the package; ``base`` in it names another of
        these, over which it is laid.
    overrides
        Setting -> value; ``augment.zoom`` names a setting inside a table.

    Raises
    ------
    TrainingError
        ``config-invalid``: the file cannot be read, a key is unknown, or a value has the wrong type.
    """
    document = _document(file) if file is not None else {}
    table = document.pop("augment", {})
    if not isinstance(table, dict):
        raise TrainingError("config-invalid", "augment must be a table.")
    for key, value in overrides.items():
        prefix, _, inner = key.rpartition(".")
        (table if prefix == "augment" else document)[inner if prefix == "augment" else key] = value
    return _checked(replace(TrainConfig(), augment=_checked(AugmentConfig(), table, "augment.")), document, "")


def _document(file: str) -> dict[str, Any]:
    """What a TOML file says, laid over the configuration that it names as its ``base``."""
    path = Path(file) if file.endswith(".toml") else CONFIGS / f"{file}.toml"
    known = sorted(each.stem for each in CONFIGS.glob("*.toml"))
    if path.parent == CONFIGS and path.stem not in known:
        raise TrainingError("config-invalid", f"{file} is no settings file, nor any of {', '.join(known)}.")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError("config-invalid", f"{path} cannot be read: {error}.") from error
    base = document.pop("base", None)
    if base is not None and base not in known:
        raise TrainingError("config-invalid", f"base must be one of {', '.join(known)}, not {base!r}.")
    return document if base is None else _laid_over(_document(base), document)


def _laid_over(base: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Both together; single settings of ``augment`` too."""
    augment = document.get("augment", {})
    both = {**base.get("augment", {}), **augment} if isinstance(augment, dict) else augment
    return {**base, **document, "augment": both}


def _checked(config: _Config, values: Mapping[str, Any], prefix: str) -> _Config:
    known = {f.name: type(getattr(config, f.name)) for f in fields(config) if f.name != "augment"}
    for key, value in values.items():
        if key not in known:
            raise TrainingError("config-invalid", f"There is no setting {prefix + key!r}.")
        if not _fits(value, known[key]):
            raise TrainingError("config-invalid", f"{prefix + key} must be {_TYPES[known[key]]}, not {value!r}.")
    checked: dict[str, Any] = {key: tuple(each) if known[key] is tuple else each for key, each in values.items()}
    return replace(config, **checked)


_TYPES: Mapping[type, str] = {bool: "bool", int: "int", float: "float", str: "str", tuple: "a list of texts"}


def _fits(value: object, wanted: type) -> bool:
    """Whether a value is of the type of a setting."""
    if wanted is tuple:
        return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return isinstance(value, (int, float) if wanted is float else wanted) and isinstance(value, bool) <= (
        wanted is bool
    )
