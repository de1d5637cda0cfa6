"""Drift as a document, and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxrscan.reports.json_file import write_json
from cxrscan.reports.wording import figure_text, fixed, interval_text, significant, terminal_text
from cxrscan.scanner.evaluation.drift import AspectDrift, Change, Drift
from cxrscan.scanner.system.text import count, printable
from cxrscan.scanner.system.whole_files import make_folder

_SCHEMA_VERSION = 1
_SENTENCES = {
    "none": "No change is seen.",
    "prevalence": "Another share of the films shows pneumonia. Nothing else is seen to have changed.",
    "appearance": "The films look different; no share of pneumonia explains it. The figures of the model may not hold.",
    "headers": "What the DICOM headers say has changed. Scores and pictures are not seen to have.",
    "unknown": "The films have changed. Whether in their looks or in how many show pneumonia cannot be told.",
}
ASPECTS = {"scores": "Scores", "embeddings": "Embeddings", "pictures": "Pictures", "headers": "DICOM headers"}


def drift_document(drift: Drift) -> dict[str, Any]:
    """Return the content of ``drift.json``."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "drift": drift.is_found,
        **asdict(drift),
        "sentence": drift_sentence(drift),
    }


def write_drift(folder: Path, drift: Drift) -> None:
    """Write ``drift.json`` into a folder, which is made where there is none.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    make_folder(folder)
    write_json(folder / "drift.json", drift_document(drift))


def drift_sentence(drift: Drift) -> str:
    """Say in plain words what changed."""
    return _SENTENCES[drift.cause]


def basis_sentence(drift: Drift) -> str:
    """Say what was compared with what."""
    return (
        f"{drift.n_films:,} of {count(drift.n_scored, 'scored film')}, one of each patient, against "
        f"{drift.n_reference:,} of {drift.reference}."
    )


def needed_sentence(drift: Drift) -> str:
    """Say how many films the change takes to be seen; empty without a change."""
    if not drift.is_found:
        return ""
    if drift.n_needed is None:
        return "It takes all of these films to see it."
    return f"{drift.n_needed:,} films show it in 4 of 5 samples."


def prevalence_sentence(drift: Drift) -> str:
    """Say how common pneumonia is now, as far as the scores tell; empty where they do not."""
    if drift.prevalence is None or drift.reference_prevalence is None or drift.cause in {"appearance", "unknown"}:
        return ""
    now, interval = figure_text(drift.prevalence.value, "share"), interval_text(drift.prevalence, "share")
    before = figure_text(drift.reference_prevalence, "share")
    return f"Share of films with pneumonia, as the scores suggest: {now} ({interval}); of the reference: {before}."


def change_text(change: Change) -> str:
    """Write a figure's change."""
    if ": " in change.name:
        before, now = (figure_text(value, "share") for value in (change.reference, change.current))
        return f"{change.name} {before} \N{RIGHTWARDS ARROW} {now}"
    name = change.name.replace("_", " ")
    before, now = (significant(value, 3) for value in (change.reference, change.current))
    shift = f"{'+' if change.shift > 0 else ''}{fixed(change.shift, 1)}"
    return f"{name} {before} \N{RIGHTWARDS ARROW} {now} ({shift} SD)".replace("-", "\N{MINUS SIGN}")


def p_text(p_value: float) -> str:
    """Write a p-value; those of permutations have no more than three digits."""
    return fixed(p_value, 3)


def drift_text(drift: Drift) -> str:
    """Return the drift as lines for a terminal."""
    lines = "".join(f"{terminal_text(printable(line))}\n" for line in _lines(drift))
    return lines.replace("\N{RIGHTWARDS ARROW}", "->")


def _lines(drift: Drift) -> Iterator[str]:
    yield drift_sentence(drift)
    yield basis_sentence(drift)
    yield ""
    yield f"{'':14}{'difference':>11}{'p':>9}"
    for aspect in drift.aspects:
        yield f"{ASPECTS[aspect.aspect]:14}{fixed(aspect.share, 3):>11}{p_text(aspect.p_value):>9}" + _mark(
            aspect, drift
        )
        if aspect.p_value <= drift.level:
            yield from (f"    {change_text(change)}" for change in aspect.changes)
    yield f"p is adjusted for all together; {drift.level:g} and less is a change. Difference: 0 none, 1 largest."
    yield from filter(None, (prevalence_sentence(drift), needed_sentence(drift), *drift.gaps))


def _mark(aspect: AspectDrift, drift: Drift) -> str:
    return "  changed" if aspect.p_value <= drift.level else ""
