"""Films in folders of this computer: each file is opened for a look at its first bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cxrscan.scanner.readers import HEAD_BYTES, promises_film, sniff_kind
from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.runs.layout import JOURNAL_NAME, RUN_PICTURES, is_run
from cxrscan.scanner.sources.filters import Reason, Rules
from cxrscan.scanner.sources.names import shown
from cxrscan.scanner.system.beneath import Entry, list_folder, open_regular


class LocalWalk:
    """The walk through one root folder."""

    def __init__(self, root: str, rules: Rules, *, follow_links: bool) -> None:
        self._root = root
        self._real_root = _real_folder(root)
        self._rules = rules
        self._follow_links = follow_links
        self._within = "" if follow_links else root

    def films(self, prefix: str) -> Iterator[ImageSource]:
        """Yield what counts as a film; folders wait on a stack, because they may lie deeper than Python recurses."""
        stack = [self._entries(self._root, prefix)]
        while stack:
            entry, path, name = next(stack[-1], (None, "", ""))
            if entry is None:
                stack.pop()
            elif self._rules.hides(entry.name, name):
                continue
            elif entry.is_folder or (entry.is_link and os.path.isdir(path) and self._may_enter(path, name)):
                if self._rules.takes_folder(name):
                    stack.append(self._entries(path, f"{name}/"))
            elif not entry.is_link:
                yield from self.look(path, name)
            elif not os.path.isdir(path):
                yield from self.follow(path, name)

    def look(self, path: str, name: str) -> Iterator[ImageSource]:
        """Yield a file if it counts as a film."""
        yield from look_at(path, name, self._rules, within=self._within)

    def _entries(self, folder: str, prefix: str) -> Iterator[tuple[Entry, str, str]]:
        """Yield a folder's entries with their paths and shown names, in order; none of an unreadable folder."""
        try:
            entries = list_folder(folder, within=self._within)
        except OSError as error:
            self._rules.skip(prefix or folder, Reason.UNREADABLE_FOLDER, error.strerror)
            return
        own = RUN_PICTURES if any(entry.name == JOURNAL_NAME for entry in entries) and is_run(folder) else frozenset()
        for entry in entries:
            if entry.is_folder and entry.name in own:
                self._rules.skip(f"{prefix}{entry.name}/", Reason.OWN_PICTURES)
            else:
                yield entry, os.path.join(folder, entry.name), prefix + shown(entry.name)

    def _may_enter(self, path: str, name: str) -> bool:
        """Whether to follow a link to a folder."""
        if not self._follow_links:
            self._rules.skip(name, Reason.LINKED_FOLDER)
            return False
        target = _real_folder(path)
        folder = path
        while folder != self._root:
            folder = os.path.dirname(folder)
            if _real_folder(folder).startswith(target):
                self._rules.skip(name, Reason.LINK_IN_CIRCLES)
                return False
        return True

    def follow(self, path: str, name: str) -> Iterator[ImageSource]:
        """Look at the file that a link leads to, by the way that has no link in it."""
        if self._follow_links:
            yield from look_at(path, name, self._rules)
            return
        real = os.path.realpath(path)
        if real.startswith(self._real_root):
            yield from look_at(real, name, self._rules, within=self._real_root)
        else:
            self._rules.skip(name, Reason.LINK_OUT)


def _real_folder(path: str) -> str:
    """Where a folder really lies, with a separator at the end."""
    return os.path.join(os.path.realpath(path), "")


def take_named(path: str, name: str, rules: Rules) -> Iterator[ImageSource]:
    """Yield what a list names, whatever it is: the worker says what is wrong with it."""
    if not rules.takes_file(name):
        return
    try:
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            kind = sniff_kind(file.read(HEAD_BYTES))
    except OSError:
        yield ImageSource(Path(path), name, None, is_listed=True)
        return
    yield _source(path, name, kind, status, is_listed=True)


def look_at(path: str, name: str, rules: Rules, *, within: str = "") -> Iterator[ImageSource]:
    """Yield the file if it counts as a film; see ``ImageSource.within``."""
    if not rules.takes_file(name):
        return
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            rules.skip(name, Reason.NO_FILE)
            return
        with open_regular(path, within=within) as file:
            status = os.fstat(file.fileno())
            kind = sniff_kind(file.read(HEAD_BYTES))
    except OSError as error:
        if promises_film(name):  # the worker meets the same error and records it
            yield ImageSource(Path(path), name, None, within=within)
        else:
            rules.skip(name, Reason.UNREADABLE, error.strerror)
        return
    if rules.takes_film(name, kind):
        yield _source(path, name, kind, status, within=within)


def _source(
    path: str, name: str, kind: str | None, status: os.stat_result, *, within: str = "", is_listed: bool = False
) -> ImageSource:
    return ImageSource(
        Path(path),
        name,
        kind,
        status.st_size,
        status.st_mtime_ns,
        within=within,
        inode=status.st_ino or None,
        device=status.st_dev or None,
        is_listed=is_listed,
    )
