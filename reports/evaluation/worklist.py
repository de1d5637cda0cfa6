"""A worklist as a table, as a page to print, and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cxrscan.reports.page.html_file import write_plain_page
from cxrscan.reports.tables.csv_file import neutralised, write_sheet
from cxrscan.reports.wording import code_title, figure_text, fixed, prob_text, terminal_text
from cxrscan.scanner import NOTICE
from cxrscan.scanner.decision import call_at
from cxrscan.scanner.evaluation.waiting import FIGURES, Waiting
from cxrscan.scanner.evaluation.worklist import RULE, Entry
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.text import count, duration_text

CSV_NAME, PAGE_NAME = "worklist.csv", "worklist.html"
COLUMNS = (
    *("number", "study", "patient", "urgency", "why", "missing_views", "prob_pneumonia", "prediction"),
    *("n_films", "n_scored", "acquired_at", "read_after_minutes", "films"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the page."""

    number: int
    study: str
    patient: str
    urgency: str
    called: str
    notes: str
    films: str
    acquired: str


@dataclass(frozen=True, slots=True)
class WorklistView:
    """The page, ready to print."""

    title: str
    notice: str
    version: str
    lead: str
    rule: str
    simulation: str
    figures: tuple[tuple[str, str, str], ...]
    """(what it is, value, range)."""
    lines: tuple[Line, ...]
    left: str
    """Sentence on studies that are in the table only; empty where all are here."""


def write_worklist_csv(path: Path, entries: Sequence[Entry], run: Run, waiting: Waiting) -> None:
    """Write the whole list.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    write_sheet(path, COLUMNS, (_row(number, entry, run, waiting) for number, entry in enumerate(entries, 1)))


def _row(number: int, entry: Entry, run: Run, waiting: Waiting) -> tuple[object, ...]:
    study = entry.study
    return (
        number,
        neutralised(study.name),
        neutralised(study.patient),
        fixed(entry.urgency, 4),
        " ".join(entry.why),
        " ".join(entry.missing_views),
        "" if study.prob is None else fixed(study.prob, 4),
        call_at(study.prob, run.info.threshold, run.info.refer) or "",
        len(study.films),
        study.n_scored,
        study.acquired,
        fixed(((number - 1) // waiting.n_readers + 1) * waiting.minutes_per_study, 1),
        neutralised(" | ".join(film.name for film in study.films)),
    )


def write_worklist_page(path: Path, entries: Sequence[Entry], run: Run, waiting: Waiting, n_printed: int) -> None:
    """Write the first studies of the list as a page to print.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    write_plain_page(path, "worklist.html", worklist_view(entries, run, waiting, n_printed))


def worklist_view(entries: Sequence[Entry], run: Run, waiting: Waiting, n_printed: int) -> WorklistView:
    """Make the view of a worklist."""
    n_left = max(0, len(entries) - n_printed)
    return WorklistView(
        title="Worklist",
        notice=NOTICE,
        version=run.info.version,
        lead=f"{_noun(len(entries), run)}, the most urgent first. Model {run.model.label}.",
        rule=RULE,
        simulation=simulation_sentence(waiting),
        figures=tuple(
            (title, *_minutes(waiting.figures[key], waiting.minutes_per_study)) for key, title in FIGURES.items()
        ),
        lines=tuple(_line(number, entry, run) for number, entry in enumerate(entries[:n_printed], 1)),
        left=f"{n_left:,} more in {CSV_NAME}." if n_left else "",
    )


def _noun(n: int, run: Run) -> str:
    return count(n, "study", "studies") if run.info.group else count(n, "film")


def _line(number: int, entry: Entry, run: Run) -> Line:
    study = entry.study
    notes = [code_title(code) for code in entry.why if code != "missing-view"]
    notes += [f"Missing: {', '.join(entry.missing_views)}"] if entry.missing_views else []
    return Line(
        number=number,
        study=study.name,
        patient=study.patient,
        urgency=prob_text(entry.urgency, 3),
        called=call_at(study.prob, run.info.threshold, run.info.refer) or "",
        notes="; ".join(notes),
        films=str(len(study.films)),
        acquired=study.acquired[:10],
    )


def simulation_sentence(waiting: Waiting) -> str:
    """Say what was simulated, and that it was."""
    how = (
        "Classes are drawn from the labelled studies of this run"
        if waiting.basis == "labels"
        else "No labels to draw from: each study is taken to show pneumonia by the chance that its urgency says, "
        "so the gain is what a model that is right would give"
    )
    return (
        f"Simulated, not measured: {waiting.n_simulations:,} lists of {waiting.n_studies:,}, of which "
        f"{figure_text(waiting.prevalence, 'share')} show pneumonia, all there when reading begins; "
        f"{count(waiting.n_readers, 'reader')} with {waiting.minutes_per_study:g} minutes for each. {how}. "
        "Ranges hold 95 % of the lists."
    )


def _minutes(estimate: Estimate, step: float) -> tuple[str, str]:
    """Write minutes and their range."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "\N{EN DASH}", estimate.reason
    return _time(estimate.value, step), f"{_time(estimate.low, step)} to {_time(estimate.high, step)}"


def _time(minutes: float, step: float) -> str:
    sign = "\N{MINUS SIGN}" if minutes < 0 else ""
    if step < 1 and abs(minutes) < 1:
        return sign + duration_text(60 * abs(minutes))
    hours, rest = divmod(round(abs(minutes)), 60)
    return f"{sign}{hours} h {rest} min" if hours else f"{sign}{rest} min"


def worklist_document(waiting: Waiting) -> dict[str, Any]:
    """Return the simulation as JSON values."""
    return {"rule": RULE, "is_simulation": True, **asdict(waiting)}


def worklist_text(entries: Sequence[Entry], run: Run, waiting: Waiting) -> str:
    """Return the simulation as lines for a terminal."""
    return "".join(f"{terminal_text(line)}\n" for line in _lines(entries, run, waiting))


def _lines(entries: Sequence[Entry], run: Run, waiting: Waiting) -> Iterator[str]:
    without = sum("no-score" in entry.why for entry in entries)
    yield f"{_noun(len(entries), run)} in order of urgency; {without:,} without a score."
    yield simulation_sentence(waiting)
    for key, title in FIGURES.items():
        value, interval = _minutes(waiting.figures[key], waiting.minutes_per_study)
        yield f"  {title:60}{value:>12}  ({interval})"
