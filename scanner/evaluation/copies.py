"""Copies of files, byte by byte: archives hold films twice, and every figure would count them twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cxrscan.scanner.records import Film, ScanResult

_DIGITS = 32
"""Of a hash in hexadecimal; more tell no two files apart."""


def content_of(result: ScanResult) -> str:
    """What tells films apart: the bytes of the file and, of an object with several, the frame."""
    frame = result.name.rpartition("#")[2] if "#" in result.name and result.kind == "dicom" else ""
    return f"{result.sha256[:_DIGITS] or result.name}#{frame}"


def labelled_once(films: Iterable[Film]) -> Iterator[Film]:
    """Films, of which copies have no label: figures then count the first of them alone."""
    contents: set[str] = set()
    for film in films:
        is_counted = film.truth is not None and film.result.prob_pneumonia is not None
        content = content_of(film.result) if is_counted else ""
        yield replace(film, truth=None) if content in contents else film
        if is_counted:
            contents.add(content)
