"""What was found on a film, in words, figures and small pieces of HTML.

Everything that comes from a file is escaped here; nothing of it can become markup.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from cxrscan.reports.page.colour_scale import OPACITIES, STOPS, heat_word
from cxrscan.reports.page.view import FigureTable, ModelCard
from cxrscan.reports.tables.columns import COLUMNS, format_cell, regions_of
from cxrscan.reports.tables.csv_file import write_rows
from cxrscan.reports.wording import (
    OUTCOMES,
    call_sentence,
    code_title,
    fixed,
    percent_text,
    prob_text,
    probability_text,
    significant,
    with_interval,
)
from cxrscan.scanner.decision import outcome, prediction
from cxrscan.scanner.records import (
    GATE_REASONS,
    NEGATIVE,
    POSITIVE,
    REFERRED,
    Band,
    Film,
    HeatMap,
    Region,
    RunInfo,
    ScanResult,
    Skip,
)
from cxrscan.scanner.run_record import Run

_FILE_COLUMNS = ("kind", "width_px", "height_px", "size_bytes", "pixel_path", "sha256")
_HEADER_COLUMNS = (
    "modality",
    "body_part",
    "view_position",
    "patient_sex",
    "patient_age_years",
    "presentation_intent",
    "manufacturer",
)
_ID_TITLES = {"patient_id": "Patient ID", "study_uid": "Study Instance UID", "sop_uid": "SOP Instance UID"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")
_CHARACTER_PERCENT = 2.1
"""Width of a character below the probability bar, in percent of the bar on the narrowest page."""
_NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What the gate says, before anything is predicted."""

    level: Literal["success", "warning", "error"]
    title: str
    sentences: tuple[str, ...]


def gate_answer(result: ScanResult) -> GateAnswer:
    """Put the gate's verdict on a film that could be read into words."""
    sentences = tuple(GATE_REASONS.get(reason, reason) for reason in result.gate_reasons)
    if result.gate == "reject":
        return GateAnswer("error", "No prediction: not a film that the model can judge.", sentences)
    if sentences:
        return GateAnswer("warning", "Scored with a caveat.", sentences)
    return GateAnswer("success", "Input checks passed.", ())


def truth_text(film: Film, threshold: float, refer: Band | None = None) -> str:
    """Hold the call against the label; empty without one."""
    if film.truth is None:
        return ""
    cell = outcome(prediction(film.result, threshold, refer), film.truth)
    return f"Labelled {film.truth}" + (f": a {OUTCOMES[cell].title.lower()}." if cell else ".")


def certainty(prob: float, run: Run, population: str = "") -> tuple[str, ...]:
    """Say how sure the number is: the model's calibration error, and what its operating point did on validation films.

    A call is close when the threshold is nearer than the calibration error, the mean distance between stated and
    observed frequencies (Naeini, Cooper and Hauskrecht 2015), of the worst set of validation films. Where the model
    tells populations apart, the sets are those of the film's.
    """
    model = run.model
    sentences = []
    if population:
        sentences.append(
            f"Calibrated as for the {population} among the training films, of whom a share of "
            f"{significant(model.prior, 2)} is assumed to have pneumonia."
        )
    sets = {population, f"{population}, shifted"} & model.validation.keys() or model.validation.keys()
    errors = [model.validation[name]["ece"].value for name in sets if "ece" in model.validation[name]]
    error = max((value for value in errors if value is not None), default=None)
    if error is not None:
        sentences.append(f"On validation films the stated probabilities were off by {fixed(error, 2)} on average.")
        if abs(prob - run.info.threshold) <= error:
            sentences.append("The threshold is nearer than that: a close call, which could as well go the other way.")
    point = run.model.operating_points.get(run.info.threshold_name)
    if point is not None:
        found = with_interval("sensitivity", point.sensitivity)
        cleared = with_interval("specificity", point.specificity)
        sentences.append(
            f"At this operating point {found} of the validation films with pneumonia were called {POSITIVE}, "
            f"and {cleared} of the normal ones {NEGATIVE}; other hospitals' films do worse."
        )
    return tuple(sentence.replace(" %", f"{_NBSP}%") for sentence in sentences)


def in_short(outcome: ScanResult | Skip, threshold: float, refer: Band | None = None) -> str:
    """What was found, in a few words for a list."""
    if isinstance(outcome, Skip):
        return "no film"
    called = prediction(outcome, threshold, refer)
    if called is None or outcome.prob_pneumonia is None:
        return outcome.status
    caveat = " \N{WARNING SIGN}" if outcome.gate == "warn" else ""
    return f"{called}, {percent_text(outcome.prob_pneumonia)} pneumonia{caveat}"


def result_lines(film: Film, run: Run) -> tuple[list[str], list[str]]:
    """Lines above and below the annotated picture; the caller adds the notice."""
    result = film.result
    called = prediction(result, run.info.threshold, run.info.refer)
    gate = gate_answer(result)
    heading = [" ".join((gate.title, *gate.sentences)), result.name]
    if called is not None and result.prob_pneumonia is not None:
        heading.insert(0, call_sentence(result.prob_pneumonia, called, run.info.threshold, run.info.refer))
        if film.truth:
            heading.append(truth_text(film, run.info.threshold, run.info.refer))
    threshold = f"threshold {probability_text(run.info.threshold)} ({run.info.threshold_name})"
    regions = [f"{i}: {region_text(region, result)}" for i, region in enumerate(regions_of(film, run), start=1)]
    where = [f"Outlined, where the heat lies: {'; '.join(regions)}"] if regions else []
    return heading, [*where, f"{run.model.label}, {threshold}, SHA-256 of the file {result.sha256[:16]}"]


# -- tables


def row_csv(film: Film, run: Run) -> bytes:
    """Make a table of one film, in the format of ``results.csv``."""
    row = io.StringIO(newline="")
    write_rows(row, [film], COLUMNS, run)
    return row.getvalue().encode("utf-8-sig", "backslashreplace")


def file_rows(film: Film, run: Run) -> list[tuple[str, str]]:
    """What is known of the file: (title, value) pairs; what is not stated is left out."""
    return _rows(_FILE_COLUMNS, film, run)


def header_rows(film: Film, run: Run) -> list[tuple[str, str]]:
    """What the DICOM header says that identifies nobody."""
    return _rows(_HEADER_COLUMNS, film, run)


def id_rows(ids: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Identifiers of a DICOM header, by their names in the standard."""
    return [(_ID_TITLES.get(name, name), value or "not stated") for name, value in ids]


def _rows(names: Sequence[str], film: Film, run: Run) -> list[tuple[str, str]]:
    columns = {column.name: column for column in COLUMNS}
    cells = [(columns[name].title, format_cell(columns[name], columns[name].cell(film, run))) for name in names]
    return [(title, text) for title, text in cells if text]


# -- HTML and Markdown


def heading_html(name: str) -> str:
    """Name of the film in front."""
    return f'<h2 class="cxr-name" dir="auto">{escape(name)}</h2>'


def call_html(film: Film, info: RunInfo) -> str:
    """The call, large, with the probability and its meaning; empty without a score."""
    called, prob = prediction(film.result, info.threshold, info.refer), film.result.prob_pneumonia
    if called is None or prob is None:
        return ""
    sentence = call_sentence(prob, called, info.threshold, info.refer).replace(" %", f"{_NBSP}%")
    caveats = ", ".join(map(code_title, film.result.gate_reasons))
    return (
        f'<p class="cxr-call {called.lower()}"><b>{called}</b></p><p class="cxr-said">{sentence}</p>'
        + (f'<p class="cxr-caveat">Not reliable for this film: {escape(caveats)}.</p>' if caveats else "")
        + f'<p class="cxr-small">{escape(truth_text(film, info.threshold, info.refer))}</p>'
    )


def region_text(region: Region, result: ScanResult) -> str:
    """A region in a line, as in the report: ``right lower: 62 % of the heat, 61 x 43 mm``."""
    place = region.place or "a film that is turned"
    if region.place and "mirrored" in result.gate_reasons:
        place += ", if the film is not mirrored"
    size = region.size_mm(result.attributes.pixel_spacing_mm)
    millimetres = f", {fixed(size[0], 0)} x {fixed(size[1], 0)} mm" if size is not None else ""
    return f"{place}: {fixed(100 * region.share_of_heat, 0)}{_NBSP}% of the heat{millimetres}"


def regions_html(film: Film, run: Run) -> str:
    """Where the heat lies, in the order of the outlines' numbers; empty without a region."""
    items = "".join(f"<li>{escape(region_text(region, film.result))}</li>" for region in regions_of(film, run))
    if not items:
        return ""
    return (
        f'<p class="cxr-small">Where the heat lies, not the outline of a disease:</p><ol class="cxr-where">{items}</ol>'
    )


def bar_html(prob: float, run: Run) -> str:
    """The probability on a scale from 0 to 1, with the operating points; the one in use stands out."""
    points = [(point.name, point.threshold) for point in run.model.operating_points.values()]
    if run.info.threshold_name not in run.model.operating_points:
        points.append((run.info.threshold_name, run.info.threshold))
    # Names stand right of their marks, from the right end on in the first line with room, so that no mark crosses one.
    line_starts: list[float] = []
    marks = []
    for name, at in sorted(points, key=lambda point: -point[1]):
        text = f"{name} {probability_text(at)}"
        width = _CHARACTER_PERCENT * len(text)
        start = min(100 * at, 100 - width)
        line = next((i for i in range(len(line_starts)) if start + width <= min(line_starts[i:])), len(line_starts))
        line_starts[line : line + 1] = [start]
        used = " used" if name == run.info.threshold_name else ""
        marks.append(
            f'<i class="point{used}" style="left:{100 * at:.2f}%;height:{1.1 + 1.15 * line:.2f}rem"></i>'
            f'<span class="name{used}" style="left:{start:.2f}%;top:{1.4 + 1.15 * line:.2f}rem">{escape(text)}</span>'
        )
    side = "pneumonia" if prob >= run.info.threshold else "normal"
    if run.info.refer is not None and run.info.refer[0] <= prob <= run.info.refer[1]:
        side = REFERRED.lower()
    label = f"Probability {prob_text(prob, 3)} on a scale from 0 to 1, threshold {probability_text(run.info.threshold)}"
    return (
        f'<div class="cxr-bar {side}" role="img" aria-label="{escape(label)}" '
        f'style="padding-bottom:{0.4 + 1.15 * len(line_starts):.2f}rem">'
        f'<div class="track"><i class="fill" style="width:{100 * prob:.2f}%"></i></div>{"".join(marks)}</div>'
    )


HEAT_STYLES = {"colour": "colours", "contour": "contour at half", "off": "off"}
"""Heat map -> how it is drawn, in the order of the key h, as in the report."""


def legend_html(heat_map: HeatMap, scale: float, style: str) -> str:
    """What the heat map's colours or its line mean, and how strong it is at its strongest."""
    word = heat_word(heat_map, scale)
    if style == "contour":
        line = "" if word == "none on this film" else "line at half, "
        return f'<div class="cxr-legend"><span>With heat map: {line}{word}</span></div>'
    last = len(STOPS) - 1
    colours = ", ".join(
        f"rgb({red} {green} {blue} / {OPACITIES[i]}) {100 * i / last:.0f}%"
        for i, (red, green, blue) in enumerate(STOPS)
    )
    return (
        '<div class="cxr-legend" title="Grad-CAM, 0 to '
        f'{significant(scale, 3)} logit units; the same scale for every film of this model">'
        f"<span>With heat map: {word}</span><span>none</span>"
        f'<i style="background-image:linear-gradient(90deg, {colours})"></i>'
        "<span>strong</span></div>"
    )


def table_html(rows: Iterable[tuple[str, str]], caption: str) -> str:
    """A table of names and values."""
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="cxr-table"><caption>{escape(caption)}</caption>{body}</table>'


def figures_html(figures: FigureTable, caption: str) -> str:
    """A table of figures with a row for each set of films."""
    head = "".join(f"<th>{escape(title)}</th>" for title in ("Films", *figures.titles))
    body = "".join(
        f"<tr><th>{escape(films)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for films, cells in figures.rows
    )
    return f'<table class="cxr-table"><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>'


def model_card_html(card: ModelCard) -> str:
    """The model, for a reader who decides whether to trust it."""
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in card.limits)
    points = [
        (
            f"{point.name}{' (in use)' if point.used else ''}",
            f"p \N{GREATER-THAN OR EQUAL TO} {point.text}: sensitivity {point.sensitivity}, "
            f"specificity {point.specificity}; {point.rule}",
        )
        for point in card.points
    ]
    return (
        f'<div class="cxr-card"><h3>{escape(card.label)}</h3><p>{escape(card.intended_use)}</p><ul>{limits}</ul>'
        + table_html(points, "Operating points")
        + figures_html(card.holds_for, "For whom these figures hold")
        + "".join(table_html(metrics, f"Validation: {films}") for films, metrics in card.validation)
        + table_html(card.facts, "Facts")
        + "</div>"
    )


def plain_markdown(text: str) -> str:
    """Keep text that goes where Streamlit reads Markdown from becoming formatting, links or directives."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
