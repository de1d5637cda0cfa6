"""Find the films in folders, lists and places elsewhere: lazy, sorted, each under a name of its own.

What only places elsewhere need is imported when one is named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cxrscan.scanner.records import ImageSource, Readable, Skip
from cxrscan.scanner.sources.filters import Filter, Reason, Rules
from cxrscan.scanner.sources.lists import FileList, walk_list
from cxrscan.scanner.sources.local import LocalWalk, look_at
from cxrscan.scanner.sources.names import file_name, shown

if TYPE_CHECKING:
    from cxrscan.scanner.sources.dicomweb import WebArchive
    from cxrscan.scanner.sources.remote import RemotePath

Root: TypeAlias = "Path | RemotePath | WebArchive | FileList"


def remote_place(url: str) -> RemotePath | WebArchive:
    """What a URL names: films in a PACS, or files in any other place.

    Raises
    ------
    RunFolderError
        ``place-unreadable``: a PACS is asked for something that it cannot be asked for here.
    """
    from cxrscan.scanner.sources.dicomweb import WebArchive
    from cxrscan.scanner.sources.remote import RemotePath

    return WebArchive.parse(url) if WebArchive.is_address(url) else RemotePath(url)


def find_images(
    roots: Sequence[Root],
    *,
    keep: Filter | None = None,
    follow_links: bool = False,
    on_skip: Callable[[Skip], None] = lambda skip: None,
) -> Iterator[ImageSource]:
    """Walk files and folders and yield what counts as a film.

    A file counts when its content or its name says so; ``kind`` is None when only the name does. Hidden files, links
    to folders or out of the root folder, special files and the pictures of cxrscan's own runs are passed over.

    Parameters
    ----------
    roots
        Files and folders, here or remote, and lists of files. A single folder gives names relative to it; several
        are told apart by a prefix. Listed films are called as the list names them.
    keep
        Patterns of names to include and exclude.
    follow_links
        Whether to follow links to folders and to files outside the root; loops are noticed.
    on_skip
        Called with every file or folder that is passed over, and the reason.

    Yields
    ------
    ImageSource
        In sorted order within each folder, in a list's own order.

    Raises
    ------
    RunFolderError
        ``place-unreadable``: a remote place or a list cannot be read at all.
    """
    rules = Rules(keep or Filter(), on_skip)
    sources = _walk_roots(roots, rules, follow_links=follow_links)
    if any(not isinstance(root, Path) and root.may_repeat for root in roots):
        sources = _told_apart(sources, rules)
    yield from sources


def _walk_roots(roots: Sequence[Root], rules: Rules, *, follow_links: bool) -> Iterator[ImageSource]:
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        if isinstance(root, FileList):
            yield from walk_list(root, rules)
        elif not isinstance(root, Path):
            yield from _walk_elsewhere(root, prefix, rules)
        elif root.is_dir():
            yield from LocalWalk(str(root), rules, follow_links=follow_links).films(prefix)
        else:
            yield from look_at(str(root), prefix + shown(root.name), rules)


def _walk_elsewhere(root: RemotePath | WebArchive, prefix: str, rules: Rules) -> Iterator[ImageSource]:
    from cxrscan.scanner.sources.dicomweb import WebArchive, walk_archive
    from cxrscan.scanner.sources.remote_walk import walk_place

    return walk_archive(root, prefix, rules) if isinstance(root, WebArchive) else walk_place(root, prefix, rules)


def _told_apart(sources: Iterator[ImageSource], rules: Rules) -> Iterator[ImageSource]:
    """Give what a list or a server calls like another film a name of its own, and pass over what it names twice."""
    places: dict[str, Readable] = {}
    for source in sources:
        name, number = source.name, 2
        while places.get(name, source.path) != source.path:
            name, number = f"~{number}/{source.name}", number + 1
        if name in places:
            rules.skip(source.name, Reason.NAMED_TWICE)
        else:
            places[name] = source.path
            yield replace(source, name=name)


def count_files(roots: Sequence[Root]) -> int | None:
    """Number of files that ``find_images`` will look at or pass over; None where counting costs too much."""
    folders = [root for root in roots if isinstance(root, Path)]
    if len(folders) < len(roots):
        return None
    return sum(sum(len(files) for _, _, files in os.walk(root)) if root.is_dir() else 1 for root in folders)


def locate(name: str, roots: Sequence[Path]) -> Path | None:
    """Find the file that ``find_images`` gave a name, or None when it is no longer there."""
    for root, prefix in zip(roots, _prefixes(roots), strict=True):
        inside = file_name(name.removeprefix(prefix))
        path = root / inside if root.is_dir() else root
        if name.startswith(prefix) and path.is_file() and (root.is_dir() or inside == root.name):
            return path
    return None


def _prefixes(roots: Sequence[Root]) -> list[str]:
    """What stands before the names of each root: nothing for one, the folder's (numbered) name for several.

    A file needs none, unless another one given has the same name; a list never has one.
    """
    if len(roots) == 1:
        return [""]
    prefixes: list[str] = []
    taken: set[str] = set()  # names of files and prefixes
    for root in roots:
        if isinstance(root, FileList):
            prefixes.append("")
            continue
        is_folder = root.is_dir()
        base = shown(root.resolve().name if is_folder else root.name)
        prefix, name, number = (f"{base}/", "", 2) if is_folder else ("", base, 2)
        while {prefix, prefix + name} & taken:
            prefix, number = f"{base if is_folder else ''}~{number}/", number + 1
        taken |= {prefix, prefix + name} - {""}
        prefixes.append(prefix)
    return prefixes
