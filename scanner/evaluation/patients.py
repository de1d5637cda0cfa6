"""Whose film is it? The Chest X-Ray Pneumonia dataset and NIH ChestX-ray14 say so in their file names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

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


def whose(result: ScanResult, patients: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """Patient of a film: of a table, of its DICOM header, plain or hashed, where the run kept it, else ``patient_of``.

    Parameters
    ----------
    patients
        File name, without folders -> patient.
    """
    ids = dict(result.attributes.ids)
    known = patients.get(PurePosixPath(result.name).name)
    return known or ids.get("patient_id") or ids.get("patient_id_hash") or patient_of(result.name)
