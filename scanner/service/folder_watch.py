"""Films in a folder that other programs write into: each is told once it rests.

The folder is walked again and again: that works on network disks too, where nobody tells of changes made elsewhere.
Only files that are new or have changed are opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cxrscan.scanner.records import ImageSource, Skip
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.sources.filters import Filter, Reason, Rules
from cxrscan.scanner.sources.local import LocalWalk

_State = tuple[int, int, int]
"""Size in bytes, time of the last change in nanoseconds, number on the device."""


@dataclass(frozen=True, slots=True)
class _Moving:
    """A file that has been met, and when it was met in this state first."""

    state: _State
    since_s: float


class FolderWatch:
    """Finds the films of a folder that are new or have changed, and rest.

    Parameters
    ----------
    root
        The folder, with its subfolders. Links are not followed.
    rest_s
        Seconds for which size and time of a file must not change.
    """

    def __init__(self, root: Path, rest_s: float, clock: SteadyClock, keep: Filter | None = None) -> None:
        self._root = root
        self._rest_s = rest_s
        self._clock = clock
        self._rules = Rules(keep or Filter(), self._on_skip)
        self._moving: dict[str, _Moving] = {}
        self._before: dict[str, _Moving] = {}
        self._settled: dict[int, int] = {}  # hashes of name and state: 100,000 files take 11 MB
        self._met: dict[int, int] = {}
        self._is_complete = True

    @property
    def n_moving(self) -> int:
        """Files that do not rest yet."""
        return len(self._moving)

    def poll(self) -> Iterator[ImageSource]:
        """Walk the folder once, and yield the films that have come to rest since the last time."""
        self._met, self._is_complete = {}, True
        self._before, self._moving = self._moving, {}
        for source in _RestingWalk(self._root, self._rules, self).films(""):
            if self._is_as_settled(source):
                yield source
        if self._is_complete:  # what was not met is gone
            self._settled = self._met
        else:
            self._settled |= self._met
            self._moving = self._before | self._moving

    def rests(self, path: str, name: str) -> bool:
        """Whether a file rests and has not been told of in this state."""
        try:
            status = os.lstat(path)
        except OSError:  # it has just been renamed or deleted
            return False
        state = (status.st_size, status.st_mtime_ns, status.st_ino)
        if self._settled.get(hash(name)) == hash(state):
            self._met[hash(name)] = hash(state)
            return False
        now_s = self._clock.now_s()
        moving = self._before.get(name)
        if moving is None or moving.state != state:
            moving = _Moving(state, now_s)
        if now_s - moving.since_s < self._rest_s:
            self._moving[name] = moving
            return False
        self._met[hash(name)] = hash(state)
        return True

    def look_again(self, name: str) -> None:
        """Let a file be told of once more, as if it had changed."""
        self._met.pop(hash(name), None)
        self._settled.pop(hash(name), None)

    def _is_as_settled(self, source: ImageSource) -> bool:
        """Whether a film is still the file that rested, or cannot be opened; else it is looked at again."""
        state = (source.size_bytes, source.mtime_ns, source.inode or 0)
        if source.size_bytes is None or self._met.get(hash(source.name)) == hash(state):
            return True
        self.look_again(source.name)
        return False

    def _on_skip(self, skip: Skip) -> None:
        if skip.reason.startswith(Reason.UNREADABLE_FOLDER):
            self._is_complete = False
        elif skip.reason.startswith(Reason.UNREADABLE):
            self.look_again(skip.name)


class _RestingWalk(LocalWalk):
    """The walk that opens only what rests; what a link inside leads to is met by its own name."""

    def __init__(self, root: Path, rules: Rules, watch: FolderWatch) -> None:
        super().__init__(str(root), rules, follow_links=False)
        self._watch = watch

    def look(self, path: str, name: str) -> Iterator[ImageSource]:
        """Yield a file if it rests and counts as a film."""
        if self._watch.rests(path, name):
            yield from super().look(path, name)

    def follow(self, path: str, name: str) -> Iterator[ImageSource]:
        """Yield nothing."""
        return iter(())
