"""What of a run's names may be shared: outputs of a run with hashed names say nothing of files and folders.

A film is then called by the first digits of its file's hash: whoever has the film can find it, nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from scanner.records import Film, RunInfo

_DIGITS = 16
#: Options that name files and folders.
_PATH_OPTIONS = frozenset({"paths", "from_file", "output", "labels", "bundle", "cluster", "upload"})


def shareable_films(films: Callable[[], Iterable[Film]], info: RunInfo) -> Callable[[], Iterable[Film]]:
    """The films under the names that outputs show."""
    return films if info.names == "plain" else lambda: _hashed(films())


def shareable_info(info: RunInfo) -> RunInfo:
    """What outputs may say of a run: everything, or all but the names of its files and folders."""
    if info.names == "plain":
        return info
    arguments = {name: "…" if value and name in _PATH_OPTIONS else value for name, value in info.arguments.items()}
    labels = "folders" if info.labels == "folders" else "a label file" if info.labels else ""
    return replace(info, roots=("…",), arguments=arguments, labels=labels)


def _hashed(films: Iterable[Film]) -> Iterator[Film]:
    seen: Counter[str] = Counter()
    for film in films:
        base = film.result.sha256[:_DIGITS] or "unread"
        seen[base] += 1
        name = base if seen[base] == 1 else f"{base}#{seen[base]}"  # further frames, and copies
        yield replace(film, result=replace(film.result, name=name))
