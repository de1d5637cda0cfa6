"""The one table schema behind ``results.csv``, the report's film table and ``docs/columns.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from cxrscan.reports.wording import fixed
from cxrscan.scanner.decision import prediction
from cxrscan.scanner.records import Film, RunInfo
from cxrscan.scanner.run_record import Run

Cell = str | int | float | None
"""A value of the table; None and the empty string are both an empty cell."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what it means, how it is filled and written."""

    name: str
    """Heading in CSV, JSON Lines and Parquet; never changes."""
    title: str
    """Heading in the report."""
    kind: Literal["text", "integer", "decimal"]
    meaning: str
    """One sentence for the data dictionary."""
    cell: Callable[[Film, Run], Cell]
    decimals: int = 0
    """Digits after the point of a ``decimal`` column, in every output."""

    def value(self, film: Film, run: Run) -> Cell:
        """Return the cell as a typed value, rounded as in every output; None when it is empty."""
        value = self.cell(film, run)
        if isinstance(value, float):
            return float(fixed(value, self.decimals))
        return None if value == "" else value


COLUMNS: tuple[Column, ...] = (
    Column(
        "path",
        "File",
        "text",
        "Path relative to the folder given, with forward slashes; with several folders, prefixed by the folder's name.",
        lambda film, run: film.result.name,
    ),
    Column(
        "status",
        "Status",
        "text",
        "`scored`; `rejected`: the gate says that this is no frontal chest film; `failed`: the file could not be read.",
        lambda film, run: film.result.status,
    ),
    Column(
        "prediction",
        "Call",
        "text",
        "The call: `PNEUMONIA` when the probability reaches the threshold, else `NORMAL`; compared before rounding. "
        "`REFER` when it lies in the band of `--refer`. Empty unless scored.",
        lambda film, run: prediction(film.result, run.info.threshold, run.info.refer),
    ),
    Column(
        "prob_pneumonia",
        "Probability",
        "decimal",
        "Calibrated probability of pneumonia, 0 to 1. Empty unless scored.",
        lambda film, run: film.result.prob_pneumonia,
        decimals=4,
    ),
    Column(
        "threshold",
        "Threshold",
        "decimal",
        "Probability at or above which a film is called `PNEUMONIA`.",
        lambda film, run: run.info.threshold,
        decimals=4,
    ),
    Column(
        "truth",
        "Label",
        "text",
        "The label: `PNEUMONIA` or `NORMAL`; empty without a label.",
        lambda film, run: film.truth,
    ),
    Column(
        "gate",
        "Input checks",
        "text",
        "Is this a frontal chest film? `ok`, `warn` (scored, with a caveat) or `reject`; "
        "empty when the file failed first.",
        lambda film, run: film.result.gate,
    ),
    Column(
        "gate_reasons",
        "Reasons",
        "text",
        "Why the gate warns or rejects: codes separated by spaces.",
        lambda film, run: " ".join(film.result.gate_reasons),
    ),
    Column(
        "error_code",
        "Error",
        "text",
        "Why the file failed: a code of docs/messages.md.",
        lambda film, run: film.result.failure.code if film.result.failure else None,
    ),
    Column(
        "error_message",
        "Error message",
        "text",
        "Why the file failed: a sentence.",
        lambda film, run: film.result.failure.message if film.result.failure else None,
    ),
    Column(
        "kind",
        "Format",
        "text",
        "Format found from the content, for example `jpeg` or `dicom`. Empty when it is none that cxrscan knows.",
        lambda film, run: film.result.kind,
    ),
    Column(
        "width_px",
        "Width",
        "integer",
        "Width of the stored picture in pixels.",
        lambda film, run: film.result.width_px,
    ),
    Column(
        "height_px",
        "Height",
        "integer",
        "Height of the stored picture in pixels.",
        lambda film, run: film.result.height_px,
    ),
    Column(
        "view_position",
        "View",
        "text",
        "DICOM View Position (0018,5101), for example `AP`.",
        lambda film, run: film.result.attributes.view_position,
    ),
    Column(
        "patient_sex",
        "Sex",
        "text",
        "DICOM Patient's Sex (0010,0040).",
        lambda film, run: film.result.attributes.patient_sex,
    ),
    Column(
        "patient_age_years",
        "Age",
        "decimal",
        "DICOM Patient's Age (0010,1010) in years; 89.0 stands for 89 and more.",
        lambda film, run: film.result.attributes.patient_age_years,
        decimals=1,
    ),
    Column(
        "sha256",
        "SHA-256",
        "text",
        "Hash of the file's bytes. Empty when they could not be read.",
        lambda film, run: film.result.sha256,
    ),
    Column(
        "model",
        "Model",
        "text",
        "Name and version of the model.",
        lambda film, run: run.model.label,
    ),
    Column(
        "duration_ms",
        "Time (ms)",
        "decimal",
        "Time spent on the file in milliseconds; a batch's time is shared out evenly.",
        lambda film, run: film.result.duration_ms,
        decimals=1,
    ),
    Column(
        "modality",
        "Modality",
        "text",
        "DICOM Modality (0008,0060), for example `DX`.",
        lambda film, run: film.result.attributes.modality,
    ),
    Column(
        "body_part",
        "Body part",
        "text",
        "DICOM Body Part Examined (0018,0015).",
        lambda film, run: film.result.attributes.body_part,
    ),
    Column(
        "presentation_intent",
        "Intent",
        "text",
        "DICOM Presentation Intent Type (0008,0068).",
        lambda film, run: film.result.attributes.presentation_intent,
    ),
    Column(
        "manufacturer",
        "Manufacturer",
        "text",
        "DICOM Manufacturer (0008,0070), the first 64 characters.",
        lambda film, run: film.result.attributes.manufacturer,
    ),
    Column(
        "pixel_path",
        "How pixels were read",
        "text",
        "Steps from stored to display values, for example `jpeg>1/4`.",
        lambda film, run: film.result.pixel_path,
    ),
    Column(
        "size_bytes",
        "Size (bytes)",
        "integer",
        "Size of the file.",
        lambda film, run: film.result.size_bytes,
    ),
    Column(
        "gate_distance",
        "Distance from training films",
        "decimal",
        "How unlike the training films the picture is: about 0 for a typical one, above 1 the gate warns or rejects. "
        "Empty where the gate was off, or needed no look at the picture to reject it.",
        lambda film, run: film.result.gate_distance,
        decimals=3,
    ),
    Column(
        "population",
        "Population",
        "text",
        "Population of the training films that the film looks like, whose calibration gives the probability. "
        "Empty unless scored by a model that was calibrated for several.",
        lambda film, run: film.result.population,
    ),
)


_STUDY_COLUMNS: tuple[Column, ...] = (
    Column("study", "Study", "text", "The study that the film belongs to.", lambda film, run: film.study),
    Column("patient", "Patient", "text", "Whose film it is, where something says so.", lambda film, run: film.patient),
)


def columns_of(id_names: Iterable[str], info: RunInfo) -> tuple[Column, ...]:
    """Return the fixed columns, then identifiers that films carry (``--include-dicom-ids``), then study and patient."""
    return COLUMNS + tuple(_id_column(name) for name in id_names) + (_STUDY_COLUMNS if info.group else ())


def _id_column(name: str) -> Column:
    def cell(film: Film, run: Run) -> Cell:
        return dict(film.result.attributes.ids).get(name)

    return Column(name, name, "text", "Identifier from the DICOM header.", cell)


def format_cell(column: Column, value: Cell) -> str:
    """Write a value as text, the same in every locale: decimals with the column's digits and a point."""
    if value is None:
        return ""
    return fixed(value, column.decimals) if isinstance(value, float) else str(value)


def data_dictionary() -> str:
    """Return the text of ``docs/columns.md``."""
    lines = [
        "# Columns of results.csv",
        "",
        "One row for every file that was taken for a film, ordered by path. The columns stand in this order and keep",
        "their names; new ones are added at the end. The report's table, `--jsonl` and `--parquet` carry the same.",
        "",
        "The file is UTF-8 with a byte-order mark, separated by commas, quoted as RFC 4180 says, with a point as",
        "decimal sign everywhere: Excel and LibreOffice show umlauts right, and `pandas.read_csv` needs no options.",
        "A text that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an apostrophe in front, so that no",
        "spreadsheet takes it for a formula. An empty cell means: not stated, or not applicable.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{column.name}` | {_type_text(column)} | {column.meaning} |" for column in COLUMNS),
        "",
        "With `--include-dicom-ids` the identifiers follow, one column each, and with `--group` the columns `study`",
        "and `patient`.",
        "",
    ]
    return "\n".join(lines)


def _type_text(column: Column) -> str:
    if column.kind != "decimal":
        return column.kind
    return f"decimal, {column.decimals} digit{'s' if column.decimals > 1 else ''} after the point"
