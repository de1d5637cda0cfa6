"""A finished run as the viewer pages through it: its films, their pictures, and the reader's verdicts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cxrscan.scanner.errors import CxrscanError, RunFolderError
from cxrscan.scanner.executors.processes import Limits
from cxrscan.scanner.records import Film, Radiograph, Reading
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model, stored_reading
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import locate
from cxrscan.scanner.viewer.decoding import read_full_size
from cxrscan.scanner.viewer.reading_list import read_reading_list
from cxrscan.scanner.viewer.verdicts import Verdict, change_verdict, read_verdicts, sheet_name


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What the viewer keeps of a run; shared by all its sessions."""

    folder: Path
    run: Run
    reading: Reading
    films: tuple[Film, ...]
    """In order of their paths, without thumbnails: those of 100,000 films would fill the memory."""
    verdicts: dict[str, Verdict]
    reader: str = ""
    """Whose verdicts these are; empty where everybody's stand in one sheet."""
    reading_list: tuple[Film, ...] = ()
    """The films that are to be read blind, in this order; none: all may be looked at."""
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def verdicts_path(self) -> Path:
        """Where the verdicts are kept."""
        return self.folder / sheet_name(self.reader)

    @property
    def labelled(self) -> bool:
        """Whether any film has a label."""
        return any(film.truth for film in self.films)

    def judge(self, film: Film, given: Verdict, run: Run) -> None:
        """Note a reader's verdict in the sheet, with the time; an empty one is taken back.

        Raises
        ------
        RunFolderError
            ``output-unwritable``, ``verdicts-unreadable``, or ``verdict-taken`` when another reader was faster; the
            verdict is not kept.
        """
        given = replace(given, reviewed_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        known = self.verdicts.get(film.result.name)
        with self._writing:
            try:
                verdicts = change_verdict(self.verdicts_path, self.films, film, known, given, run)
            except RunFolderError as error:
                if error.code == "verdict-taken":
                    self._take_over(read_verdicts(self.verdicts_path, self.films))
                raise
            self._take_over(verdicts)

    def _take_over(self, verdicts: Mapping[str, Verdict]) -> None:
        self.verdicts.clear()
        self.verdicts.update(verdicts)


def open_run(folder: Path, reader: str = "", queue: Path | None = None) -> FinishedRun:
    """Read a run's journal and the verdicts beside it.

    Parameters
    ----------
    reader
        Whose verdicts are kept, in a sheet of their own; empty for the sheet of everybody.
    queue
        A reading list; see ``cxrscan.scanner.viewer.reading_list``.

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``run-busy``, ``journal-format``, ``verdicts-unreadable`` or ``queue-unfit``.
    """
    with Journal(folder, read_only=True) as journal:
        run, reading = Run(stored_info(journal), stored_model(journal)), stored_reading(journal)
        films = tuple(replace(film, result=replace(film.result, thumbnail=b"")) for film in journal.films())
    verdicts = read_verdicts(journal.folder / sheet_name(reader), films)
    listed = () if queue is None else tuple(read_reading_list(queue, films))
    return FinishedRun(journal.folder, run, reading, films, verdicts, reader, listed)


def film_picture(finished: FinishedRun, film: Film, limits: Limits | None = None) -> tuple[Radiograph | None, str]:
    """Read a film of a run for display.

    Returns
    -------
    The film at full size and an empty text when the original is unchanged; else the run's small picture of it, or
    None where it has none, and a sentence on why.

    Raises
    ------
    RunFolderError
        ``run-busy`` when the small picture is needed while another process holds the journal.
    """
    original = _read_original(finished, film, limits)
    if isinstance(original, Radiograph):
        return original, ""
    with Journal(finished.folder, read_only=True) as journal:
        small = journal.thumbnail(film.result.name)
    if not small:
        return None, ""
    pixels = read_full_size(small, ScanSettings(), limits, max_megapixels=1.0).pixels
    height, width = pixels.shape
    note = f"{original}; this is the small picture that the run kept."
    return Radiograph(pixels, width, height, "thumbnail", attributes=film.result.attributes), note


_GONE = "The original is no longer where it was, or has changed"


def _read_original(finished: FinishedRun, film: Film, limits: Limits | None) -> Radiograph | str:
    """The film at full size, read as the run read it, or why there is none."""
    roots = [Path(root) for root in finished.run.info.roots]
    name, frame = film.result.name, 0
    path = locate(name, roots)
    if path is None and "#" in name:  # a further frame of a multi-frame object
        name, _, number = name.rpartition("#")
        path, frame = locate(name, roots), int(number) - 1 if number.isdecimal() else 0
    if path is None:
        return _GONE
    reading = finished.reading
    try:
        if path.stat().st_size != film.result.size_bytes:
            return _GONE
        return read_full_size(
            path,
            ScanSettings(),
            limits,
            frame=frame,
            window=reading.window,
            sha256=film.result.sha256,
            max_megapixels=reading.max_megapixels,
        )
    except OSError:
        return _GONE
    except CxrscanError as error:
        return _GONE if error.code == "changed" else f"The original cannot be shown: {error.message.rstrip('.')}"
