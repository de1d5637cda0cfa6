"""Which objects of a folder are to be sent, and the story of sending: attempts, waits, and what became of each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from cxrscan.scanner.dicom_results.read_back import is_result
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS

_LONGEST_WAIT_S = 60.0
_TAGS = ["SOPClassUID", "SOPInstanceUID", "Manufacturer", "Modality"]
_UNREADABLE: tuple[type[Exception], ...] = (*PYDICOM_ERRORS, InvalidDicomError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One object on its way."""

    path: Path
    sop_class: str
    sop_uid: str
    syntax: str
    """Transfer Syntax UID of the file."""
    modality: str
    size_bytes: int

    def read(self) -> Dataset:
        """Read the object; raises OSError and pydicom's errors."""
        return dcmread(self.path)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a destination said to one object."""

    outgoing: Outgoing
    problem: str = ""
    """Why it was not taken; empty when it was."""
    may_pass: bool = False
    """Whether trying again may help."""


class Destination(Protocol):
    """Where objects are sent: an application entity or a DICOMweb server."""

    def deliver(self, objects: Sequence[Outgoing]) -> Iterator[Delivery]:
        """Try each object once, in order; never raises because of the network or the other side."""
        ...


@dataclass(frozen=True, slots=True)
class SendTally:
    """What became of sending: owns the counts, the closing sentence and the exit code."""

    n_sent: int
    n_failed: int
    n_left_out: int
    """DICOM objects in the folder that are no results of cxrscan."""

    @property
    def exit_code(self) -> int:
        """0 when all were taken, 3 when some were, 1 when none was."""
        if not self.n_failed:
            return 0
        return 3 if self.n_sent else 1

    @property
    def sentence(self) -> str:
        """What was sent, for people."""
        parts = [f"{self.n_sent:,} {'object' if self.n_sent == 1 else 'objects'} sent"]
        parts += [f"{self.n_failed:,} not sent"] if self.n_failed else []
        parts += [f"{self.n_left_out:,} left out, being no results of cxrscan"] if self.n_left_out else []
        return ", ".join(parts) + "."


def find_outgoing(folder: Path, *, everything: bool = False) -> tuple[list[Outgoing], int]:
    """Find the objects in a folder.

    Parameters
    ----------
    everything
        Whether objects that cxrscan did not make are sent too.

    Returns
    -------
    objects
        In order of their paths.
    n_left_out
        DICOM objects that are not sent.
    """
    objects, n_left_out = [], 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        found = look_at(path)
        if found is None:
            continue
        outgoing, is_own = found
        if is_own or everything:
            objects.append(outgoing)
        else:
            n_left_out += 1
    return objects, n_left_out


def send(
    objects: Sequence[Outgoing],
    destination: Destination,
    *,
    n_retries: int = 4,
    first_wait_s: float = 1.0,
    on_done: Callable[[Delivery], None] = lambda delivery: None,
) -> tuple[int, int]:
    """Send objects; those that were not taken are tried again after a while, ever later.

    Parameters
    ----------
    n_retries
        How often objects are tried again where that may help.
    first_wait_s
        Wait before the first retry, in seconds; each further one is twice as long, up to a minute, varied by half.
    on_done
        Called for each object once it is taken, or given up.

    Returns
    -------
    Numbers of objects that were taken and that were not.
    """
    waiting, n_sent = list(objects), 0
    n_failed = 0
    for attempt in range(n_retries + 1):
        again = []
        for delivery in destination.deliver(waiting):
            if delivery.problem and delivery.may_pass and attempt < n_retries:
                again.append(delivery.outgoing)
                continue
            n_failed += bool(delivery.problem)
            n_sent += not delivery.problem
            on_done(delivery)
        if not again:
            break
        waiting = again
        time.sleep(min(_LONGEST_WAIT_S, first_wait_s * 2**attempt) * random.uniform(0.5, 1.5))
    return n_sent, n_failed


def look_at(path: Path) -> tuple[Outgoing, bool] | None:
    """Look at a file: an object and whether cxrscan made it; None for one that is no DICOM object."""
    try:
        with quiet_pydicom():
            header = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            outgoing = Outgoing(
                path,
                str(header.SOPClassUID),
                str(header.SOPInstanceUID),
                str(header.file_meta.TransferSyntaxUID),
                str(header.get("Modality", "")),
                path.stat().st_size,
            )
    except _UNREADABLE:
        return None
    return outgoing, is_result(header)
