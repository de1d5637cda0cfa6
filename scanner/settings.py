"""How films are scanned: everything a worker must know, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scanner.model_bundle import DEFAULT_BUNDLE


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Settings that travel with every chunk to a worker."""

    model: Path = DEFAULT_BUNDLE
    """Folder of the model bundle."""
    batch_size: int = 16
    """Films per forward pass; also the size of a chunk, so that a worker's loss costs little."""
    thumbnail_px: int = 320
    """Long side of the thumbnail in the report; sharp in the large view, about 10 KB per film."""
    max_megapixels: float = 200.0
    """Larger pictures are refused from their header: the largest detectors make 25 megapixels."""
    gate: bool = True
    """Whether the gate judges films; without it everything that decodes is scored."""
