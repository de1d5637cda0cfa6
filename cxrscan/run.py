"""Scan folders of films from Python, and open what was found."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from cxrscan.film import Film
from cxrscan.reports.evaluation.files import write_evaluation
from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.tables.formats import TABLES
from cxrscan.reports.tables.frames import arrow_table, data_frame
from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import LabelError, RunFolderError
from cxrscan.scanner.evaluation.evaluate import ATTRIBUTES, Asked, Evaluation
from cxrscan.scanner.evaluation.label_file import parse_label
from cxrscan.scanner.evaluation.labels import FOLDERS, LabelRequest, Labels, ReaderLabels
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, ModelSpec
from cxrscan.scanner.records import Band, Radiograph, RunInfo, ScanResult, Skip
from cxrscan.scanner.records import Film as _FilmRecord
from cxrscan.scanner.render import render
from cxrscan.scanner.run import RunRequest
from cxrscan.scanner.run import run as run_request
from cxrscan.scanner.run_record import Run as _RunRecord
from cxrscan.scanner.runs.grouping import grouped_films
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model, stored_reading
from cxrscan.scanner.runs.sharing import shareable
from cxrscan.scanner.settings import GateMode, ScanSettings
from cxrscan.scanner.sources.filters import Filter
from cxrscan.scanner.sources.walk import Root, count_files, remote_place
from cxrscan.scanner.system.cores import available_cores
from cxrscan.scanner.system.text import count
from cxrscan.scanner.viewer.finished_run import FinishedRun, film_picture

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

Place = str | os.PathLike[str]
"""A file or folder, or a URL such as ``s3://bucket/films``."""


def scan(
    paths: Place | Sequence[Place],
    out: Place = "cxrscan-out",
    *,
    model: Place | None = None,
    labels: Place | None = None,
    threshold: str | float | None = None,
    refer: Band | Literal["off"] | None = None,
    group: str | None = None,
    gate: GateMode = "strict",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    workers: int | None = None,
    tables: Collection[str] = (),
    fresh: bool = False,
    progress: bool = True,
) -> Run:
    """Scan films as ``cxrscan run`` does; an interrupted run is continued.

    Parameters
    ----------
    paths
        Files and folders of films, or URLs.
    out
        Folder for the results.
    model
        Folder of a model bundle, or a name of `cxrscan model list`; None for the one that comes with cxrscan.
    labels
        ``folders`` for class folders NORMAL and PNEUMONIA, or a CSV file with the columns path and label.
    threshold
        Name of an operating point, or a probability in [0, 1]; None for the model's own.
    refer
        Lowest and highest probability of films that a person is to read; ``off`` refers none.
    group
        What makes studies: ``dicom``, ``folder`` or a column of the label file; ``off`` makes none.
    gate
        What becomes of pictures that are no frontal chest film: ``strict``, ``warn`` or ``off``.
    include, exclude
        Patterns of the files to look at, and to leave out.
    workers
        Worker processes; None for one per core.
    tables
        Further forms of the table: ``parquet``, ``jsonl``.
    fresh
        Whether to start over in a folder that holds a run.
    progress
        Whether to show a bar.

    Raises
    ------
    CxrscanError
        The films, the model, the labels or the folder cannot be used. A film that cannot is a row of the run.
    KeyboardInterrupt
        What had been found by then is in the folder.
    """
    for table in TABLES:
        if table.name in tables:
            table.refuse_if_unable()
    request = RunRequest(
        roots=tuple(_root(path) for path in _several(paths)),
        out=Path(out),
        settings=ScanSettings(model=_bundle(model), gate=gate),
        n_workers=workers or available_cores(),
        threshold=None if threshold is None else str(threshold),
        refer=refer,
        labels=None if labels is None else _label_request(labels),
        group=group,
        dicom_ids="hashed" if group == "dicom" else None,
        keep=Filter(tuple(include), tuple(exclude)),
        fresh=fresh,
    )
    with _bar(request.roots, shown=progress) as on_file:
        tally = run_request(request, partial(write_outputs, tables=tables), on_file=on_file)
    if tally.info.exit_reason != "finished":
        raise KeyboardInterrupt
    return open_run(out)


def _bundle(model: Place | None) -> Path:
    """The folder of a model."""
    from cxrscan.scanner.bundles.shelf import bundle_folder  # what fetches bundles costs every import a little

    return DEFAULT_BUNDLE if model is None else bundle_folder(model)


def open_run(folder: Place) -> Run:
    """Open a run folder, finished or not; neither model nor films are needed.

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``run-busy`` or ``journal-format``.
    """
    with Journal(Path(folder), read_only=True) as journal:
        info, reading = stored_info(journal), stored_reading(journal)
        films = tuple(
            replace(film, result=replace(film.result, thumbnail=b"")) for film in grouped_films(journal, info, None)()
        )
        record = _RunRecord(info, stored_model(journal), lambda: films)
        return Run(FinishedRun(journal.folder, record, reading, films, {}))


class Run:
    """A run folder: its table, its films, and what can be done with them. ``open_run`` and ``scan`` make one."""

    def __init__(self, finished: FinishedRun) -> None:
        self._finished = finished
        self._shown = shareable(finished.run)

    @property
    def folder(self) -> Path:
        """Where the results lie."""
        return self._finished.folder

    @property
    def info(self) -> RunInfo:
        """What is true of the run as a whole: threshold, labels, versions, times."""
        return self._shown.info

    @property
    def model(self) -> ModelSpec:
        """Description of the model."""
        return self._shown.model

    @property
    def frame(self) -> pd.DataFrame:
        """One row a film, with the columns of ``results.csv`` (docs/columns.md); a new one each time."""
        return data_frame(self._shown)

    def arrow(self) -> arrow.Table:
        """The same as an Arrow table; needs the extra ``parquet``. ``polars.DataFrame(run)`` reads it by itself."""
        return arrow_table(self._shown)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand the table over as the Arrow PyCapsule interface has it."""
        return self.arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return len(self._finished.films)

    def __iter__(self) -> Iterator[Film]:
        """Go through the films in order of their names."""
        pairs = zip(self._finished.films, self._shown.films(), strict=True)
        return (self._film(kept, shown) for kept, shown in pairs)

    def film(self, name: str) -> Film:
        """Look at one film.

        Parameters
        ----------
        name
            As in the column ``path``.

        Raises
        ------
        KeyError
            The run has no such film.
        """
        for kept, shown in zip(self._finished.films, self._shown.films(), strict=True):
            if shown.result.name == name:
                return self._film(kept, shown)
        raise KeyError(name)

    def _film(self, kept: _FilmRecord, shown: _FilmRecord) -> Film:
        info = self.info
        return Film(
            shown.result, self.model, info.threshold, info.refer, shown.truth, partial(_picture, self._finished, kept)
        )

    def evaluate(
        self,
        labels: Place | Mapping[str, Any] | None = None,
        *,
        by: Sequence[str] = (),
        prevalences: Sequence[float] = (),
        exact: bool = False,
    ) -> Evaluation:
        """Measure the run against labels, as ``cxrscan evaluate`` does; figures, charts and report are written.

        Parameters
        ----------
        labels
            ``folders``, a CSV file, or a mapping from the names of films to their classes; None for the run's own.
        by
            Subgroups: ``view_position``, ``patient_sex``, ``age_band``, … or columns of the label file.
        prevalences
            Shares of films with pneumonia, in (0, 1), to compute predictive values for.
        exact
            Clopper-Pearson intervals (1934) for proportions, in place of Wilson's.

        Raises
        ------
        LabelError
            There are no labels, or they do not fit the films.
        RunFolderError
            ``group-unknown``: ``by`` names what nobody knows of the films.
        """
        truth = _labels_of(labels)
        if truth is None and not self.info.labels:
            raise LabelError("labels-none", f"{self.folder} has no labels.")

        def ask(columns: Collection[str]) -> Asked:
            unknown = set(by) - {*ATTRIBUTES, *columns}
            if unknown:
                raise RunFolderError(
                    "group-unknown", f"{min(unknown)!r} is none of {', '.join((*ATTRIBUTES, *columns))}."
                )
            return Asked(tuple(by), tuple(prevalences), exact)

        tally = render(self.folder, write_outputs, labels=truth, ask=ask)
        if tally.evaluation is None:
            raise LabelError("labels-none", "No film of the run has both a label and a probability.")
        record = _RunRecord(tally.info, self.model)
        write_evaluation(self.folder / "evaluation", tally.evaluation, record, tally.outputs.studies)
        self._finished = open_run(self.folder)._finished
        self._shown = shareable(self._finished.run)
        return tally.evaluation

    def report(
        self, *, threshold: str | float | None = None, refer: Band | Literal["off"] | None = None, title: str = ""
    ) -> Path:
        """Render the outputs again, and say where the report lies; opens offline in any browser.

        Parameters
        ----------
        threshold, refer
            As in ``scan``; None keeps the run's own.
        title
            Heading of the report.

        Raises
        ------
        CxrscanError
            ``run-busy``, ``unknown-operating-point`` or ``output-unwritable``.
        """
        tally = render(
            self.folder,
            partial(write_outputs, title=title),
            threshold=None if threshold is None else str(threshold),
            refer=refer,
        )
        self._finished = open_run(self.folder)._finished
        self._shown = shareable(self._finished.run)
        return tally.outputs.html

    def __repr__(self) -> str:
        return f"<cxrscan.Run {str(self.folder)!r}: {count(len(self), 'film')}, {self.model.label}>"

    def _repr_html_(self) -> str:
        said = self.frame.status.value_counts()
        told = ", ".join(f"{n:,} {status}" for status, n in said.items())
        return (
            f"<div><b>{escape(str(self.folder))}</b>: {escape(told)}; {escape(self.model.label)}, "
            f"threshold {self.info.threshold:.2f}</div><div><small>{escape(NOTICE)}</small></div>"
        )


def _picture(finished: FinishedRun, film: _FilmRecord) -> Radiograph | None:
    return film_picture(finished, film)[0]


def _several(paths: Place | Sequence[Place]) -> Sequence[Place]:
    return [paths] if isinstance(paths, str | os.PathLike) else paths


def _root(place: Place) -> Root:
    if isinstance(place, str) and "://" in place:
        return remote_place(place)
    path = Path(place)
    if not path.exists():
        raise RunFolderError("no-images", f"{path} does not exist.")
    return path


def _label_request(labels: Place) -> LabelRequest:
    return LabelRequest(FOLDERS if labels == FOLDERS else str(Path(labels).absolute()))


def _labels_of(labels: Place | Mapping[str, Any] | None) -> LabelRequest | Labels | None:
    if labels is None:
        return None
    if isinstance(labels, str | os.PathLike):
        return _label_request(labels)
    classes = {name: parse_label(str(label), where=f"The label of {name}") for name, label in labels.items()}
    return ReaderLabels("Python", {name: label for name, label in classes.items() if label is not None})


@contextmanager
def _bar(roots: tuple[Root, ...], *, shown: bool) -> Iterator[Callable[[ScanResult | Skip | None], None]]:
    """A bar that fits the place, a terminal or a notebook."""
    from tqdm.auto import tqdm

    with tqdm(unit=" files", disable=not shown) as bar:

        def find_total() -> None:
            bar.total = count_files(roots)

        def count_one(outcome: ScanResult | Skip | None) -> None:
            bar.update()

        if shown:
            Thread(target=find_total, daemon=True).start()
        yield count_one
