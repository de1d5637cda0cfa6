"""``studies.csv``: one row per study, where a run's films are grouped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cxrscan.reports.tables.csv_file import neutralised, write_sheet
from cxrscan.reports.wording import fixed
from cxrscan.scanner.decision import call_at
from cxrscan.scanner.evaluation.studies import Study, repeat_of
from cxrscan.scanner.run_record import Run

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class StudyColumn:
    """One column: what it is called, what it means and how it is filled."""

    name: str
    kind: Literal["text", "integer", "decimal"]
    meaning: str
    cell: Callable[[Study, Run], Cell]

    def text(self, study: Study, run: Run) -> str:
        """Write the cell, safe in spreadsheets; decimals with four digits."""
        value = self.cell(study, run)
        if value is None:
            return ""
        return fixed(value, 4) if isinstance(value, float) else neutralised(str(value))


STUDY_COLUMNS: tuple[StudyColumn, ...] = (
    StudyColumn(
        "study",
        "text",
        "The study: its identifier, its folder, or its cell in the label file. A film that nothing says the study of "
        "is a study by itself, called like the film.",
        lambda study, run: study.name,
    ),
    StudyColumn(
        "patient",
        "text",
        "Whose study it is: the column `patient` of the label file, the header's identifier, or a file name in a known "
        "form. Empty where nothing says it.",
        lambda study, run: study.patient,
    ),
    StudyColumn("number", "integer", "Number among the patient's studies, from 1.", lambda study, run: study.number),
    StudyColumn(
        "n_of_patient", "integer", "Studies of the patient in this run.", lambda study, run: study.n_of_patient
    ),
    StudyColumn(
        "ordered_by",
        "text",
        "What the number follows: `time` of acquisition, or `name` where that is not known of all of the patient's "
        "films. Empty for a patient with one study.",
        lambda study, run: study.ordered_by,
    ),
    StudyColumn(
        "acquired_at",
        "text",
        "When its first film was taken, ISO 8601. With hashed identifiers all of a patient's days are shifted by the "
        "same secret number.",
        lambda study, run: study.acquired,
    ),
    StudyColumn("n_films", "integer", "Its films.", lambda study, run: len(study.films)),
    StudyColumn("n_scored", "integer", "Its films with a probability.", lambda study, run: study.n_scored),
    StudyColumn(
        "views",
        "text",
        "DICOM View Positions of its films, separated by spaces.",
        lambda study, run: " ".join(study.views),
    ),
    StudyColumn(
        "prediction",
        "text",
        "The call: `PNEUMONIA` when the probability reaches the threshold, else `NORMAL`; `REFER` in the band of "
        "`--refer`. Empty without a probability.",
        lambda study, run: call_at(study.prob, run.info.threshold, run.info.refer),
    ),
    StudyColumn(
        "prob_pneumonia",
        "decimal",
        "Probability of pneumonia by the rule of the next column. Empty without a scored film.",
        lambda study, run: study.prob,
    ),
    StudyColumn(
        "rule",
        "text",
        "`highest`, `mean` or `view`: how the probability follows from those of the films.",
        lambda study, run: run.info.study_rule,
    ),
    StudyColumn(
        "threshold",
        "decimal",
        "Probability at or above which a study is called `PNEUMONIA`; it was chosen for films.",
        lambda study, run: run.info.threshold,
    ),
    StudyColumn(
        "truth",
        "text",
        "`PNEUMONIA` where a film is labelled so, else `NORMAL` where a film is; empty without a label.",
        lambda study, run: study.truth,
    ),
    StudyColumn(
        "gate_reasons",
        "text",
        "Why the gate warns about or rejects its films: codes separated by spaces.",
        lambda study, run: " ".join(study.reasons),
    ),
    StudyColumn(
        "film",
        "text",
        "The film that the probability comes from; empty where there are several or none.",
        lambda study, run: study.deciding[0].name if len(study.deciding) == 1 else None,
    ),
    StudyColumn(
        "earlier_study",
        "text",
        "The patient's last study before it that has a probability.",
        lambda study, run: study.earlier.name if study.earlier is not None else None,
    ),
    StudyColumn(
        "prob_change",
        "decimal",
        "Probability minus that of the earlier study.",
        lambda study, run: study.change,
    ),
    StudyColumn(
        "beyond_repeat",
        "text",
        "`yes` where the change is larger than 95 of 100 versions of one film show, else `no`; empty without an "
        "earlier study, and where the bundle does not say how far versions lie apart.",
        lambda study, run: {True: "yes", False: "no", None: None}[study.changed(repeat_of(run.model))],
    ),
)


def write_studies(path: Path, studies: Iterable[Study], run: Run) -> None:
    """Write the table of studies; see ``STUDY_COLUMNS``.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    rows = ([column.text(study, run) for column in STUDY_COLUMNS] for study in studies)
    write_sheet(path, [column.name for column in STUDY_COLUMNS], rows)


def study_dictionary() -> str:
    """Return the part of ``docs/columns.md`` on studies."""
    lines = (f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in STUDY_COLUMNS)
    return "\n".join(
        [
            "## studies.csv",
            "",
            "With `--group` there is one row for each study, in the same form. Studies of a patient follow each other.",
            "Decimals have four digits after the point.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )
