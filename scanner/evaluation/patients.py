"""Whose film is it? The Chest X-Ray Pneumonia dataset and NIH ChestX-ray14 say so in their file names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from cxrscan.scanner.records import ScanResult

# person12_virus_35.jpeg · IM-0115-0001.jpeg · NORMAL2-IM-0529-0001-0002.jpeg · 00000013_005.png
_PATIENT = re.compile(
    r"(?P<id>person\d+)_|(?P<normal>(?:NORMAL2-)?IM-\d+)-|(?P<nih>000[0-3]\d{4})_\d{3}(?!\d)", re.IGNORECASE
)


def patient_of(name: str) -> str | None:
    """Patient of a film from the naming rules of Kermany, Zhang and Goldbaum's dataset and of NIH ChestX-ray14.

    In the former the number after ``person`` is the patient, whatever the subtype that follows; normal films carry
    ``IM-NNNN`` or ``NORMAL2-IM-NNNN``, two number ranges of their own. The NIH's patients have numbers up to 00030805,
    and no date begins so.

    Parameters
    ----------
    name
        File name or path with forward slashes.

    Returns
    -------
    For example ``person12`` or ``NORMAL2-IM-0529``; None for names that follow another rule.
    """
    match = _PATIENT.match(PurePosixPath(name).name)
    return match[1] or match[2] or match[3] if match else None


def whose(result: ScanResult) -> str | None:
    """Patient of a film: its DICOM header's identifier, plain or hashed, where the run kept it, else ``patient_of``."""
    ids = dict(result.attributes.ids)
    return ids.get("patient_id") or ids.get("patient_id_hash") or patient_of(result.name)
