"""Everything that a run leaves behind for people: ``results.csv``, ``report.html`` and ``run.json``."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cxrscan.reports.json_file import run_document, write_json
from cxrscan.reports.page.html_file import load_templates, write_html
from cxrscan.reports.page.view import build_view
from cxrscan.reports.tables.change_file import FILE_NAME as CHANGES_NAME
from cxrscan.reports.tables.change_file import write_changes
from cxrscan.reports.tables.columns import columns_of
from cxrscan.reports.tables.formats import TABLES
from cxrscan.reports.tables.study_file import write_studies
from cxrscan.reports.wording import called_by_text
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.changes import Earlier, find_changes
from cxrscan.scanner.evaluation.evaluate import Evaluation
from cxrscan.scanner.evaluation.film_notes import FilmNote, noting
from cxrscan.scanner.evaluation.second_readers import gather_readings
from cxrscan.scanner.evaluation.studies import StudyCollector, summarise_studies
from cxrscan.scanner.evaluation.survey import Survey, survey_films
from cxrscan.scanner.metrics import summarise
from cxrscan.scanner.records import Outputs
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.plain_matplotlib import import_matplotlib
from cxrscan.scanner.system.whole_files import HALF_NAME, delete_halves, write_whole

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.agreement import Opinion
    from cxrscan.scanner.evaluation.drift import Drift

Embed = Literal["auto", "all", "none"]

EMBED_MAX_FILMS = 2_000
EMBED_MAX_BYTES = 25_000_000
"""Budget of pictures, as base64, inside the report with ``auto``: what mail servers and phones still take."""

_IMAGES = "thumbnails"
_IMAGE_NAME = re.compile(r"[0-9a-f]{16}\.jpg")


def prepare(*, charts: bool) -> None:
    """Load what ``write_outputs`` is going to need, ``charts`` for labelled films, while nothing else is to do."""
    load_templates()
    if charts:
        import_matplotlib()
        import_module("matplotlib.figure")


_FEW = 20
"""Films up to which a command tells each by itself."""


def write_outputs(
    folder: Path,
    run: Run,
    *,
    title: str = "",
    embed: Embed = "auto",
    tables: Collection[str] = (),
    evaluation: Evaluation | None = None,
    drift: Drift | None = None,
    opinions: Sequence[Opinion] = (),
    earlier: Earlier | None = None,
) -> Outputs:
    """Write all outputs of a run; each file is replaced as a whole, or stays as it was.

    The table of a run that did not reach its end is ``results.partial.csv``, so that nobody takes it for the whole.

    Parameters
    ----------
    folder
        The run folder; it exists.
    run
        What there is to tell; its films are gone through several times.
    title
        Heading of the report; empty for one made of the folder's name.
    embed
        Whether the report carries the films' pictures itself: ``all``, ``none`` (they lie in ``thumbnails/`` beside
        it), or ``auto``: within the budget, starting with those that a reader looks at first.
    tables
        Names of further forms of the table beside ``results.csv``; see ``cxrscan.reports.tables.formats``.
    evaluation
        What ``cxrscan evaluate`` found, for a report that tells it.
    drift
        What ``cxrscan drift`` found, likewise.
    opinions
        What readers say of the films, for a report that shows it beside the model.
    earlier
        A run of before, for a report that tells what changed since.

    Raises
    ------
    CxrscanError
        ``output-unwritable``; ``extra-missing`` for Parquet without pyarrow.
    """
    start = time.perf_counter()
    collector = StudyCollector(run.model)
    notes: list[FilmNote] = []
    films = noting(collector.watch(run.films()), run.info, notes)
    survey = survey_films(films, run.info.threshold, run.info.refer)
    studies = collector.studies(run.info.study_rule)
    stems = ["results", "results.partial"]
    stem, other = stems if run.info.exit_reason == "finished" else stems[::-1]
    files = Outputs(folder / f"{stem}.csv", folder / "report.html", folder / "run.json", survey.counts)
    by_number = sorted(survey.failures.items(), key=lambda item: (-item[1].n, item[0]))
    files = replace(files, fit=survey.fit, failures={code: problem.n for code, problem in by_number})
    truth, prob = survey.truth[survey.answered], survey.prob[survey.answered]
    summary = summarise(truth, prob, run.info.threshold) if survey.labelled else None
    called_by = called_by_text(run)
    readings = gather_readings(opinions, notes, called_by) if opinions else None
    changes = find_changes(earlier, notes, run.model, called_by) if earlier is not None else None
    columns = columns_of(survey.id_names, run.info, readings, changes)
    others: list[Path] = []
    for table in TABLES:
        path, stale = (folder / f"{each}.{table.name}" for each in (stem, other))
        if table.always or table.name in tables or path.exists() or stale.exists():  # none there must grow stale
            table.write(path, columns, run)
            others += [] if table.always else [path]
            stale.unlink(missing_ok=True)
    (folder / f"{other.replace('results', 'studies')}.csv").unlink(missing_ok=True)
    table_of_studies = folder / f"{stem.replace('results', 'studies')}.csv"
    if run.info.group:
        write_studies(table_of_studies, studies, run)
        files = replace(files, studies=summarise_studies(studies, run))
        others.append(table_of_studies)
    else:  # none there must grow stale
        table_of_studies.unlink(missing_ok=True)
    if changes is not None:
        write_changes(folder / CHANGES_NAME, changes)
        others.append(folder / CHANGES_NAME)
    else:
        (folder / CHANGES_NAME).unlink(missing_ok=True)
    embedded = _embedded(survey, embed)
    image_paths = _write_images(folder / _IMAGES, run, embedded, survey)
    view = build_view(
        survey,
        summary,
        run,
        columns,
        title=title,
        evaluation=evaluation,
        drift=drift,
        studies=studies,
        study_summary=files.studies,
        readings=readings,
        changes=changes,
    )
    write_html(files.html, columns, run, view, image_paths=image_paths)
    _delete_other_images(folder / _IMAGES, {path for path in image_paths if path})
    others += [folder / path for path in dict.fromkeys(image_paths) if path]
    figures = summary.estimates if summary is not None else {}
    few = tuple(run.films()) if survey.counts.n_films <= _FEW else ()
    render_s = round(time.perf_counter() - start, 4)
    files = replace(files, figures=figures, films=few, others=tuple(others), render_s=render_s)
    timed = replace(run.info, profile_s={**run.info.profile_s, "render": files.render_s})
    write_json(files.json, run_document(replace(run, info=timed), survey, summary, files.studies))
    delete_halves(folder, frozenset({files.csv.name, files.html.name, files.json.name}))
    return files


def _embedded(survey: Survey, embed: Embed) -> set[int]:
    """Choose the films, by position, whose pictures the report carries itself."""
    if embed == "none":
        return set()
    if embed == "all":
        return set(range(len(survey.images)))
    chosen: set[int] = set()
    room = EMBED_MAX_BYTES
    for position in sorted(range(len(survey.images)), key=lambda i: survey.images[i][0]):
        room -= survey.images[position][1] * 4 // 3
        if room < 0 or len(chosen) == EMBED_MAX_FILMS:
            break
        chosen.add(position)
    return chosen


def _write_images(folder: Path, run: Run, embedded: set[int], survey: Survey) -> list[str | None]:
    """Write the pictures that are not embedded; their names follow from their content, so an old report stays whole."""
    if not any(size for position, (_, size) in enumerate(survey.images) if position not in embedded):
        return [None] * len(survey.images)
    paths: list[str | None] = []
    for position, film in enumerate(run.films()):
        picture = film.result.thumbnail
        if position in embedded or not picture:
            paths.append(None)
            continue
        name = hashlib.sha256(picture).hexdigest()[:16] + ".jpg"
        paths.append(f"{_IMAGES}/{name}")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RunFolderError("output-unwritable", f"{folder} cannot be made: {error.strerror}.") from error
        if not _is_file(folder / name):
            write_whole(folder / name, picture)
    return paths


def _is_file(path: Path) -> bool:
    """Whether a file, and not a link to one, is there."""
    return path.is_file() and not path.is_symlink()


def _delete_other_images(folder: Path, kept: set[str]) -> None:
    """Delete the pictures of an earlier report."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in folder.iterdir():
        half = HALF_NAME.fullmatch(path.name)  # of a killed run
        if _IMAGE_NAME.fullmatch(half[1] if half else path.name) and f"{_IMAGES}/{path.name}" not in kept:
            path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
