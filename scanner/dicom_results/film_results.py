"""From one scored file to its objects on disk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydicom import Dataset

from cxrscan.scanner.dicom_results.answer import Answer, answer_of
from cxrscan.scanner.dicom_results.capture import CAPTURE, LONG_SIDE_PX, make_capture
from cxrscan.scanner.dicom_results.film_header import FilmHeader, read_film_header
from cxrscan.scanner.dicom_results.folder import latest_reports, series_folder, write_object
from cxrscan.scanner.dicom_results.modules import Kind, encode, sop_uid
from cxrscan.scanner.dicom_results.regions_report import REGIONS, make_regions_report
from cxrscan.scanner.dicom_results.report import REPORT, make_report
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS
from cxrscan.scanner.records import Film, FloatImage, ImageSource, Reading
from cxrscan.scanner.run_record import Run

FRAME = re.compile(r"#(\d+)$")
"""Behind the names of further frames of a file; no file's own name ends so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results to write."""

    report: bool = True
    """The structured report, and that of the regions where the film shows any."""
    capture: bool = True
    status: Literal["scored", "all"] = "scored"
    """``all``: rejected films too, without a probability; never failed ones."""

    def takes(self, film: Film) -> bool:
        """Whether a film is to have results."""
        return film.result.status == "scored" or (self.status == "all" and film.result.status == "rejected")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a film has no result."""

    name: str
    code: str
    """Key of ``cxrscan.scanner.errors.HINTS``."""
    message: str


@dataclass(frozen=True, slots=True)
class FilmResults:
    """What was written about one file."""

    name: str
    n_reports: int = 0
    n_region_reports: int = 0
    n_captures: int = 0
    n_unchanged: int = 0
    """Objects that were there already."""
    problem: Problem | None = None
    paths: tuple[Path, ...] = ()
    """The objects of this result, new or there already."""


@dataclass(frozen=True, slots=True)
class ResultsRequest:
    """What is true of all files of a run; travels to the processes that write."""

    folder: Path
    wanted: Wanted
    run: Run
    reading: Reading


def write_film_results(task: tuple[ImageSource, Sequence[Film]], request: ResultsRequest) -> FilmResults:
    """Write the results of one file, whose films are one or one for each frame.

    Raises
    ------
    RunFolderError
        ``output-unwritable``. A film that cannot be read any more, or that no result can name, is a problem instead.
    """
    source, films = task
    results = FilmResults(source.name)
    try:
        with quiet_pydicom():
            data = _read_unchanged(source, films[0].result.sha256)
            for film in films:
                results = _write_objects(results, data, film, request)
    except FilmError as error:
        return replace(results, problem=Problem(source.name, error.code, error.message))
    return results


def _write_objects(results: FilmResults, data: bytes, film: Film, request: ResultsRequest) -> FilmResults:
    found = FRAME.search(film.result.name)
    header = read_film_header(data, int(found[1]) if found else 1)
    answer = answer_of(film, request.run)

    def report(series: Path) -> Dataset:
        return make_report(header, answer, latest_reports(series, header))

    def regions(series: Path) -> Dataset:
        return make_regions_report(header, answer, latest_reports(series, header))

    def capture(series: Path) -> Dataset:
        return make_capture(header, answer, _read_pixels(data, header.frame, request.reading))

    if request.wanted.report:
        path, is_new = _write_unless_there(REPORT, header, answer, report, request.folder)
        results = replace(_noted(results, path, is_new=is_new), n_reports=results.n_reports + is_new)
    if request.wanted.report and answer.regions:
        path, is_new = _write_unless_there(REGIONS, header, answer, regions, request.folder)
        results = replace(_noted(results, path, is_new=is_new), n_region_reports=results.n_region_reports + is_new)
    if request.wanted.capture:
        path, is_new = _write_unless_there(CAPTURE, header, answer, capture, request.folder)
        results = replace(_noted(results, path, is_new=is_new), n_captures=results.n_captures + is_new)
    return results


def _noted(results: FilmResults, path: Path, *, is_new: bool) -> FilmResults:
    return replace(results, paths=(*results.paths, path), n_unchanged=results.n_unchanged + (not is_new))


def _write_unless_there(
    kind: Kind, header: FilmHeader, answer: Answer, make: Callable[[Path], Dataset], folder: Path
) -> tuple[Path, bool]:
    """Write an object whose file is missing; the same result has the same UID, and so the same file.

    Returns
    -------
    Where it lies, and whether it is new.
    """
    series = series_folder(folder, kind, header)
    path = series / f"{sop_uid(kind, header, answer)}.dcm"
    if path.exists() and path.stat().st_size > 0:  # an empty one is what a power failure has left
        return path, False
    try:
        data = encode(make(series))
    except PYDICOM_ERRORS as error:
        problem = f"The film's header holds what no result can repeat ({type(error).__name__})."
        raise FilmError("bad-dicom", problem) from error
    write_object(path, data)
    return path, True


def _read_unchanged(source: ImageSource, sha256: str) -> bytes:
    """Read a film that must be the one that was scored."""
    try:
        data = source.path.read_bytes()
    except OSError as error:
        raise FilmError("unreadable", f"The file cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FilmError("changed", "The file is another one than the run scored.")
    return data


def _read_pixels(data: bytes, frame: int, reading: Reading) -> FloatImage:
    """Decode a frame as the run did, as sharp as the capture needs it."""
    options = ReadOptions(
        max_megapixels=reading.max_megapixels,
        min_side_px=LONG_SIDE_PX,
        min_jpeg_2000_px=LONG_SIDE_PX,
        frames="all" if frame > 1 else "first",
        window=reading.window,
    )
    return read_film(data, options)[frame - 1].pixels
