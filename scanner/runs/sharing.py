"""What of a run's names may be shared: outputs of a run with hashed names say nothing of files and folders.

A film is then called by the first digits of its file's hash: whoever has the film can find it, nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cxrscan.scanner.records import Film
from cxrscan.scanner.run_record import PLACES, Run

_DIGITS = 16


def shareable(run: Run) -> Run:
    """What outputs may say of a run: everything, or all but the names of its files and folders."""
    info, films = run.info, run.films
    if info.names == "plain":
        return run
    arguments = {name: "…" if value and name in PLACES else value for name, value in info.arguments.items()}
    labels = "folders" if info.labels == "folders" else "a label file" if info.labels else ""
    info = replace(info, roots=("…",), arguments=arguments, labels=labels)
    return replace(run, info=info, films=lambda: _hashed(films()))


def name_in_run(run: Run, shown: str) -> str | None:
    """Name, in the run itself, of the film that outputs call so; None when there is none."""
    for film, told in zip(run.films(), shareable(run).films(), strict=True):
        if told.result.name == shown:
            return film.result.name
    return None


def _hashed(films: Iterable[Film]) -> Iterator[Film]:
    seen: Counter[str] = Counter()
    studies: dict[str, str] = {}
    patients: dict[str, str] = {}
    for film in films:
        base = film.result.sha256[:_DIGITS] or "unread"
        seen[base] += 1
        name = base if seen[base] == 1 else f"{base}#{seen[base]}"  # further frames, and copies
        yield replace(
            film,
            result=replace(film.result, name=name),
            study=_told(film.study, "study", studies, film),
            patient=_told(film.patient, "patient", patients, film),
        )


def _told(name: str, noun: str, numbers: dict[str, str], film: Film) -> str:
    """What a study or patient is called: by a number, unless it is an identifier that the film's row shows anyway."""
    if not name or name in (value for _, value in film.result.attributes.ids):
        return name
    return numbers.setdefault(name, f"{noun}-{len(numbers) + 1:05d}")
