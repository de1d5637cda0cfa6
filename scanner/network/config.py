"""What shapes a network, and which of its weights are trained."""

from __future__ import annotations

from dataclasses import dataclass

from cxrscan.scanner.errors import TrainingError


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """A network as it is built."""

    input_px: int = 224
    """Side of the square input."""
    alpha: float = 1.0
    """Width multiplier of MobileNetV2."""
    blur_taps: int = 1
    """Taps of a binomial filter in front of the network, an odd number; 5 blur by a standard deviation of one pixel.
    Versions of a film that differ in sharpness then get the same answer. 1 is no filter."""
    hidden_units: int = 128
    dropout: float = 0.5
    weights: str = "imagenet"
    """``imagenet``, ``none``, a file with MobileNetV2 weights without top, or the ``model.keras`` of a bundle."""
    train_from: str = ""
    """Layers before the first whose name starts so stay as they are; empty trains all, ``head`` the head only."""
    freeze_batch_norm: bool = True
    """Keep the backbone's batch norm as it is: its statistics follow a thousand steps late, too slow for fine-tuning.
    Random weights (``none``) always train it."""
    seed: int = 0
    """Of the fresh weights and the dropout; of the order and the variations of the films while training, too."""

    def __post_init__(self) -> None:
        """Refuse values that no network can be built with."""
        for ok, what in (
            (self.input_px >= 32, "input_px must be at least 32"),
            (0 <= self.dropout < 1, "dropout must lie in [0, 1)"),
            (self.blur_taps >= 1 and self.blur_taps % 2 == 1, "blur_taps must be odd"),
        ):
            if not ok:
                raise TrainingError("config-invalid", f"{what}.")
