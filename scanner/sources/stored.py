"""Where a run found its films, for those who read them once more."""

from __future__ import annotations

from pathlib import Path

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import RunInfo
from cxrscan.scanner.sources.lists import FileList
from cxrscan.scanner.sources.walk import Root, remote_place
from cxrscan.scanner.system.addresses import is_address, is_elsewhere, shown_address


def stored_roots(info: RunInfo) -> tuple[Root, ...]:
    """Where a run found its films, from what its journal keeps.

    Raises
    ------
    RunFolderError
        ``films-elsewhere``: not on this computer; a run that was received must not choose what it connects to.
    """
    listed = info.arguments.get("from_file")
    lists = {listed, str(Path(listed).absolute())} if listed else set()
    roots = tuple(
        FileList(root) if root in lists else remote_place(root) if is_address(root) else Path(root)
        for root in info.roots
    )
    named = [line for root in roots if isinstance(root, FileList) and root.place != "-" for line in root.lines()]
    for place in (*info.roots, *named):
        if is_elsewhere(place):
            raise RunFolderError("films-elsewhere", f"Films of the run lie at {shown_address(place)}.")
    return roots
