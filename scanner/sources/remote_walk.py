"""Films in places elsewhere: each look is a request, so that a name which promises a film is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.readers import promises_film, sniff_kind
from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.runs.layout import JOURNAL_NAME, RUN_PICTURES, is_journal
from cxrscan.scanner.sources.filters import Filter, Reason, Rules, is_hidden
from cxrscan.scanner.sources.names import shown
from cxrscan.scanner.sources.remote import RemoteEntry, RemotePath, ask_for_states

#: Folders within each other on a server, and all of them together; a listing may lead to itself for ever.
_MAX_DEPTH, _MAX_FOLDERS = 32, 100_000
LOOKED_AT_TOGETHER = 256
"""Entries that are looked at together."""


def walk_place(root: RemotePath, prefix: str, rules: Rules) -> Iterator[ImageSource]:
    """Yield what counts as a film in a remote folder and below, or a remote file itself.

    Raises
    ------
    RunFolderError
        ``place-unreadable``.
    """
    if not root.is_dir():
        yield from take([root], [prefix + shown(root.name)], rules)
        return
    try:
        entries = root.entries()
    except OSError as error:
        raise RunFolderError("place-unreadable", f"{root} cannot be read: {error.strerror}.") from error
    yield from _walk_entries(root, entries, prefix, rules, count())


def _walk_entries(
    root: RemotePath,
    entries: list[RemoteEntry],
    prefix: str,
    rules: Rules,
    n_folders: Iterator[int],
    depth: int = 0,
) -> Iterator[ImageSource]:
    """Follow the rules of ``local.LocalWalk`` where each look is a request: a name that promises a film is believed."""
    journals = [entry.path for entry in entries if entry.path.name == JOURNAL_NAME]
    own = RUN_PICTURES if journals and is_journal(root.read_heads(journals)[0]) else frozenset()
    rest = iter(entries)
    while batch := list(islice(rest, LOOKED_AT_TOGETHER)):
        looked_at = [entry.path for entry in batch if _needs_look(entry, prefix, rules.keep)]
        heads = dict(zip(looked_at, root.read_heads(looked_at), strict=True)) if looked_at else {}
        for entry in _with_states(batch, prefix, rules.keep, heads):
            base, name = entry.path.name, prefix + shown(entry.path.name)
            if rules.hides(base, name):
                continue
            if not entry.is_folder:
                kind = sniff_kind(heads.get(entry.path, b""))
                if rules.takes_file(name) and rules.takes_film(name, kind):
                    yield _remote_source(entry, name, kind)
            elif base in own:
                rules.skip(f"{name}/", Reason.OWN_PICTURES)
            elif depth == _MAX_DEPTH or next(n_folders) >= _MAX_FOLDERS:
                rules.skip(f"{name}/", Reason.TOO_MANY_FOLDERS)
            elif rules.takes_folder(name):
                try:
                    below = entry.path.entries()
                except OSError as error:
                    rules.skip(f"{name}/", Reason.UNREADABLE_FOLDER, error.strerror)
                else:
                    inside = prefix if base == "." else f"{name}/"  # what `tar -c .` packs
                    yield from _walk_entries(root, below, inside, rules, n_folders, depth + 1)


def _with_states(
    batch: list[RemoteEntry], prefix: str, keep: Filter, heads: Mapping[RemotePath, bytes]
) -> Iterator[RemoteEntry]:
    """Complete what listings do not tell of the films among them."""
    films = [entry for entry in batch if _is_wanted(entry, prefix, keep) and _may_be_film(entry, prefix, heads)]
    known = {entry.path: entry for entry in ask_for_states(films)}
    for entry in batch:
        yield known.get(entry.path, entry)


def _may_be_film(entry: RemoteEntry, prefix: str, heads: Mapping[RemotePath, bytes]) -> bool:
    return promises_film(prefix + shown(entry.path.name)) or sniff_kind(heads.get(entry.path, b"")) is not None


def _is_wanted(entry: RemoteEntry, prefix: str, keep: Filter) -> bool:
    """Whether this is a file that the filters leave to this run."""
    name = prefix + shown(entry.path.name)
    return not (entry.is_folder or is_hidden(entry.path.name) or keep.is_elsewhere(name)) and keep.keeps(name)


def _remote_source(entry: RemoteEntry, name: str, kind: str | None = None) -> ImageSource:
    return ImageSource(entry.path, name, kind, entry.size_bytes, entry.mtime_ns, etag=entry.etag)


def _needs_look(entry: RemoteEntry, prefix: str, keep: Filter) -> bool:
    is_named = promises_film(prefix + shown(entry.path.name))
    return not is_named and entry.size_bytes != 0 and _is_wanted(entry, prefix, keep)


def take(paths: Sequence[RemotePath], names: Sequence[str], rules: Rules) -> Iterator[ImageSource]:
    """Yield remote files that were named themselves; they are believed without a look."""
    wanted: list[tuple[RemotePath, str]] = []
    for path, name in zip(paths, names, strict=True):
        if rules.takes_file(name):
            wanted.append((path, name))
    states = ask_for_states([RemoteEntry(path, is_folder=False) for path, _ in wanted])
    for entry, (_, name) in zip(states, wanted, strict=True):
        yield _remote_source(entry, name)
