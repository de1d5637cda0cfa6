"""How films are scanned: everything a worker must know, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cxrscan.scanner.engines.base import EngineName
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, BundleFiles
from cxrscan.scanner.records import Reading

GateMode = Literal["strict", "warn", "off"]

#: Settings that say where and how to work, not what comes of it.
_INDIFFERENT = frozenset({"model", "model_is_checked", "model_sha256", "model_files", "batch_size", "n_threads"})
#: What ``model.json`` says for readers; thresholds are applied when outputs are rendered.
_OF_THE_CARD = frozenset(
    {
        *("name", "version", "operating_points", "default_operating_point", "validation", "export"),
        *("intended_use", "limits", "licence", "initial_weights", "lineage", "reference"),
    }
)


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Settings that travel with every chunk to a worker."""

    model: Path = DEFAULT_BUNDLE
    """Folder of the model bundle."""
    model_is_checked: bool = False
    """Whether its ``model.json`` has been held against the schema, so that workers need not."""
    model_sha256: str = ""
    """SHA-256 of the ``model.json`` that the command began with; workers refuse another. Empty for any."""
    model_files: BundleFiles | None = None
    """The bundle itself, as it was read once, so that it may change in its folder; None: read it there."""
    batch_size: int = 16
    """Films in a chunk, small so that a worker's loss costs little; the Keras engine runs them in one forward pass."""
    thumbnail_px: int = 320
    """Long side of the thumbnail in the report, sharp in the large view, about 10 KB per film; 0 for none."""
    embeddings: bool = True
    """Whether results keep the network's embedding, 2.5 KB per film."""
    max_megapixels: float = 200.0
    """Larger pictures are refused from their header: the largest detectors make 25 megapixels."""
    engine: EngineName = "litert"
    """What runs the network."""
    n_threads: int = 1
    """Threads of one engine; 1 where several workers share the cores."""
    all_frames: bool = False
    """Whether every frame of a multi-frame DICOM object is scored, or only the first."""
    window: int | None = 0
    """Which of a DICOM film's windows or VOI LUTs is applied, from 0; None for one that fits the pixels instead."""
    dicom_ids: bytes | Literal["plain"] | None = field(default=None, repr=False)
    """Key to hash patient, study and object identifiers with, ``plain`` to take them as they are, None for none."""
    gate: GateMode = "strict"
    """``strict`` scores no film that the gate rejects, ``warn`` scores it with a warning, ``off`` judges none."""

    @property
    def reading(self) -> Reading:
        """What a run keeps for those who read its films again."""
        return Reading(self.window, self.max_megapixels)

    def shaping(self, document: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, str]:
        """Digest of each thing that shapes a result; where one differs, a film is scanned again on resuming.

        Whatever is added to the settings or to ``model.json`` counts, unless it is named here as one that shapes none.

        Parameters
        ----------
        document
            Content of ``model.json``.
        versions
            Versions of this program and of the libraries that can change a number.

        Returns
        -------
        Name -> digest; digests hide the key of hashed identifiers.
        """
        shaping = {
            **{
                name: value
                for name, value in asdict(replace(self, model_files=None)).items()
                if name not in _INDIFFERENT
            },
            **{f"model: {name}": value for name, value in document.items() if name not in _OF_THE_CARD},
            **versions,
        }
        return {name: _digest(value) for name, value in sorted(shaping.items())}


def result_key(shaping: Mapping[str, str]) -> str:
    """One digest of all that ``ScanSettings.shaping`` gives."""
    return _digest(shaping)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
