"""How a film is read: what a reader must know beside the bytes."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, Protocol

# Inputs that a side keeps in reduced decoding; with fewer, probabilities move (docs/speed.md).
_JPEG_SIDES, _JPEG_2000_SIDES = 3, 1.5


class TakesFilms(Protocol):
    """What knows the size of a network's input: the description of a bundle, the settings of a training run."""

    @property
    def input_px(self) -> int:
        """Side of the square input."""
        ...


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a film is read; as it stands, its first frame at full size."""

    max_megapixels: float = 200.0
    """Larger pictures are refused from their header, before memory is taken; with all frames, their sum."""
    min_side_px: int = sys.maxsize
    """JPEG may be decoded at reduced size as long as both sides keep this many pixels."""
    min_jpeg_2000_px: int = sys.maxsize
    """Grey JPEG 2000 in DICOM may be decoded without its finest detail as long as both sides of what is left keep this
    many pixels; the film has its full size all the same."""
    frames: Literal["first", "all"] = "first"
    """Whether a multi-frame DICOM object gives its first frame or all."""
    window: int | None = 0
    """Which of several windows or VOI LUTs of a DICOM film to apply, from 0; films with fewer take their last.
    None for a window that fits the pixels instead."""
    ids: bytes | Literal["plain"] | None = None
    """Key to hash patient, study and object identifiers with, ``plain`` to take them as they are, None for none."""
    n_threads: int = 1
    """Threads that decode one JPEG 2000 picture; 1 where several workers share the cores."""

    @classmethod
    def for_model(cls, model: TakesFilms, **others: Any) -> ReadOptions:
        """Read as many pixels as a network can use; scanning and training must both read this way."""
        return cls(
            min_side_px=_JPEG_SIDES * model.input_px,
            min_jpeg_2000_px=math.ceil(_JPEG_2000_SIDES * model.input_px),
            **others,
        )
