"""The folder of results: study/series/object.dcm, for its owner alone, each object written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmread

from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.dicom_results.modules import Kind, series_uid
from cxrscan.scanner.dicom_results.read_back import UNREADABLE, predecessors_of, source_of
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.system.whole_files import write_whole

MARKER_NAME = "CXRSCAN-RESULTS.txt"
"""The file that marks a folder of results, and says what lies there."""

_MARKER_TEXT = (
    "Results of cxrscan as DICOM objects. They hold patients' names and identifiers: keep this folder as safe as the\n"
    "films themselves. Research only, not for diagnosis.\n"
)


def prepare_folder(folder: Path) -> None:
    """Make a folder for results that its owner alone can enter, or take one of earlier results.

    Raises
    ------
    RunFolderError
        ``other-folder``: it holds other things; ``output-unwritable``.
    """
    marker = folder / MARKER_NAME
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if not marker.exists() and any(folder.iterdir()):
            raise RunFolderError("other-folder", f"{folder} holds other files than results of cxrscan.")
        folder.chmod(0o700)
        if not marker.exists():
            write_whole(marker, _MARKER_TEXT.encode("ascii"), mode=0o600)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error.strerror}.") from error


def series_folder(folder: Path, kind: Kind, film: FilmHeader) -> Path:
    """Where the results of a kind lie that belong to a film's study."""
    return folder / film.study_uid / series_uid(kind, film)


def write_object(path: Path, data: bytes) -> None:
    """Write an object's bytes, readable by its owner alone; two copies of a film may be under way at once.

    Raises
    ------
    RunFolderError
        ``output-unwritable``; what was half-written is gone.
    """
    try:
        for missing in (path.parent.parent, path.parent):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{path} cannot be written: {error.strerror}.") from error
    write_whole(path, data, mode=0o600, outlives_power=True)


def latest_reports(series: Path, film: FilmHeader) -> list[str]:
    """SOP Instance UIDs of the reports on a film in a series' folder that no other report there replaces."""
    reports = {uid: old for about, uid, old in _reports(series) if about == (film.sop_uid, film.frame)}
    replaced = {uid for old in reports.values() for uid in old}
    return sorted(uid for uid in reports if uid not in replaced)


def _reports(series: Path) -> Iterator[tuple[tuple[str, int] | None, str, tuple[str, ...]]]:
    """Film, SOP Instance UID and predecessors of each report; a file that is none is passed over."""
    for path in sorted(series.glob("*.dcm")):
        if path.name.startswith("."):  # half a file, of a killed process
            continue
        try:
            report = dcmread(path)
            yield source_of(report), str(report.SOPInstanceUID), predecessors_of(report)
        except UNREADABLE:
            continue
