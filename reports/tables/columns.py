"""The one table schema behind ``results.csv``, the report's film table and ``docs/columns.md``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cxrscan.reports.wording import VERDICTS, fixed
from cxrscan.scanner.decision import prediction, shown_regions
from cxrscan.scanner.records import Film, Region, RunInfo
from cxrscan.scanner.run_record import Run

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.changes import Changes
    from cxrscan.scanner.evaluation.second_readers import Readings

Cell = str | int | float | list[Any] | None
"""A value of the table; None and the empty string are both an empty cell."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what it means, how it is filled and written."""

    name: str
    """Heading in CSV, JSON Lines and Parquet; never changes."""
    title: str
    """Heading in the report."""
    kind: Literal["text", "integer", "decimal", "json"]
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

    def plain(self, film: Film, run: Run) -> str | int | float | None:
        """Return the cell for tables without lists: as ``value`` does, JSON as text."""
        value = self.value(film, run)
        return format_cell(self, value) if isinstance(value, list) else value


def regions_of(film: Film, run: Run) -> tuple[Region, ...]:
    """Regions to outline on a film, by the call of the run."""
    return shown_regions(film.result, prediction(film.result, run.info.threshold, run.info.refer))


def _largest(of: Callable[[Region, Film], Cell]) -> Callable[[Film, Run], Cell]:
    """Make a cell of the region that holds the largest share of the heat."""

    def cell(film: Film, run: Run) -> Cell:
        regions = regions_of(film, run)
        return of(regions[0], film) if regions else None

    return cell


def _side_mm(index: int) -> Callable[[Region, Film], Cell]:
    def cell(region: Region, film: Film) -> Cell:
        size = region.size_mm(film.result.attributes.pixel_spacing_mm)
        return None if size is None else size[index]

    return cell


def region_documents(film: Film, regions: Iterable[Region]) -> list[Any]:
    """Regions as JSON: whole numbers are written without a point, in every language."""
    spacing = film.result.attributes.pixel_spacing_mm
    return [
        {
            "side": region.side,
            "zone": region.zone,
            "box_px": list(region.box_px),
            "polygon_px": [list(corner) for corner in region.polygon_px],
            "hottest_px": list(region.hottest_px),
            "share_of_heat": _short(region.share_of_heat, 3),
            "strength": _short(region.strength, 3),
            "size_mm": None if spacing is None else [_short(side, 1) for side in region.size_mm(spacing) or ()],
            "mirrored": "mirrored" in film.result.gate_reasons,
        }
        for region in regions
    ]


def _short(value: float, decimals: int) -> float | int:
    rounded = round(value, decimals)
    return int(rounded) if rounded == int(rounded) else rounded


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
    Column(
        "n_regions",
        "Regions",
        "integer",
        "Regions in which the heat map lies, 0 to 3; 0 where the heat is weak or the call is `NORMAL`. "
        "Empty unless scored.",
        lambda film, run: len(regions_of(film, run)) if film.result.status == "scored" else None,
    ),
    Column(
        "largest_region",
        "Largest region",
        "text",
        "Side and zone of the region with the largest share of the heat, for example `right lower`: the patient's "
        "side, and the third of the lung's height. Sides are exchanged on a mirrored film (`gate_reasons`); empty on "
        "a turned one.",
        _largest(lambda region, film: region.place),
    ),
    Column(
        "largest_region_share",
        "Its share of the heat",
        "decimal",
        "Share of the film's heat that lies in the largest region, 0 to 1.",
        _largest(lambda region, film: region.share_of_heat),
        decimals=3,
    ),
    Column(
        "largest_region_box_px",
        "Its box",
        "text",
        "Left, top, width and height of the box around the largest region, in pixels of the upright film.",
        _largest(lambda region, film: " ".join(map(str, region.box_px))),
    ),
    Column(
        "largest_region_width_mm",
        "Its width (mm)",
        "decimal",
        "Width of that box in millimetres, by Pixel Spacing (0028,0030) or, at the detector, Imager Pixel Spacing "
        "(0018,1164); empty where the header states neither.",
        _largest(_side_mm(0)),
        decimals=1,
    ),
    Column(
        "largest_region_height_mm",
        "Its height (mm)",
        "decimal",
        "Height of that box in millimetres, likewise.",
        _largest(_side_mm(1)),
        decimals=1,
    ),
    Column(
        "regions",
        "All regions",
        "json",
        "All regions, the largest share of the heat first: side, zone, box, polygon and hottest place in pixels of the "
        "upright film. Then share of the heat, strength as a share of the model's scale, size of the box in "
        "millimetres, and whether the film seems mirrored. Empty without a region.",
        lambda film, run: region_documents(film, regions_of(film, run)) or None,
    ),
)


_STUDY_COLUMNS: tuple[Column, ...] = (
    Column("study", "Study", "text", "The study that the film belongs to.", lambda film, run: film.study),
    Column("patient", "Patient", "text", "Whose film it is, where something says so.", lambda film, run: film.patient),
)


def columns_of(
    id_names: Iterable[str], info: RunInfo, readings: Readings | None = None, changes: Changes | None = None
) -> tuple[Column, ...]:
    """Return the fixed columns, and those of what only some runs have.

    These are identifiers (``--include-dicom-ids``), study and patient (``--group``), what readers said
    (``report --verdicts``) and what changed (``report --since``).
    """
    return (
        *COLUMNS,
        *(_id_column(name) for name in id_names),
        *(_STUDY_COLUMNS if info.group else ()),
        *(_reading_columns(readings) if readings is not None else ()),
        *(_change_columns(changes) if changes is not None else ()),
    )


def _reading_columns(readings: Readings) -> tuple[Column, ...]:
    def said(film: Film, run: Run) -> Cell:
        read = readings.films.get(film.result.name)
        return "; ".join(f"{who}: {VERDICTS.get(what, what)}" for who, what in read.said.items()) if read else None

    def disagreement(film: Film, run: Run) -> Cell:
        read = readings.films.get(film.result.name)
        return read.disagreement if read else None

    return (
        Column("readings", "Readers", "text", "What readers say of the film.", said),
        Column(
            "disagreement",
            "Disagreement",
            "integer",
            "Over all pairs of readers and model: 2 for opposite answers, 1 where one of them is unsure.",
            disagreement,
        ),
    )


def _change_columns(changes: Changes) -> tuple[Column, ...]:
    def kind(film: Film, run: Run) -> Cell:
        change = changes.found.get(film.result.name)
        return change.kind if change else None

    def before(film: Film, run: Run) -> Cell:
        change = changes.found.get(film.result.name)
        return change.before.prob if change and change.before else None

    return (
        Column("change", "Change", "text", f"What changed since {changes.since}; empty for nothing.", kind),
        Column("prob_before", "Earlier probability", "decimal", "Of a film that changed.", before, decimals=4),
    )


def _id_column(name: str) -> Column:
    def cell(film: Film, run: Run) -> Cell:
        return dict(film.result.attributes.ids).get(name)

    return Column(name, name, "text", "Identifier from the DICOM header.", cell)


def format_cell(column: Column, value: Cell) -> str:
    """Write a value as text, the same in every locale: decimals with the column's digits and a point."""
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
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
        "A text that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an apostrophe in front.",
        "So no spreadsheet takes it for a formula. An empty cell means: not stated, or not applicable.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{column.name}` | {_type_text(column)} | {column.meaning} |" for column in COLUMNS),
        "",
        "With `--include-dicom-ids` the identifiers follow, one column each, and with `--group` the columns `study`",
        "and `patient`. `report --verdicts` adds `readings` and `disagreement`, `report --since` adds `change` and",
        "`prob_before`.",
        "",
    ]
    return "\n".join(lines)


def _type_text(column: Column) -> str:
    if column.kind == "json":
        return "JSON"
    if column.kind != "decimal":
        return column.kind
    return f"decimal, {column.decimals} digit{'s' if column.decimals > 1 else ''} after the point"
