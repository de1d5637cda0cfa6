"""What a scan into a folder with an earlier run may do: continue it, and neither replace nor forget what is there.

A run of another model over the same films is set aside, so that both can be compared; any other difference is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import RunInfo
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_shaping
from cxrscan.scanner.runs.layout import EARLIER_NAME, JOURNAL_NAME, RUN_FILES, RUN_PICTURES

_SHAPING = ("gate", "window", "all_frames", "engine", "include_dicom_ids", "no_embeddings")
"""Options that shape a result; another value of theirs would replace the results that are there."""


#: A higher limit on the size changes no film that was scored.
_HARMLESS = frozenset({"max_megapixels"})


def refuse_to_replace(
    journal: Journal, earlier: RunInfo, now: RunInfo, chosen: Set[str], shaping: Mapping[str, str]
) -> None:
    """Refuse to scan with other settings, threshold or band into a folder that holds results.

    Other versions of this program or of a decoder are no reason to refuse: the films are scanned again.

    Parameters
    ----------
    earlier, now
        The run in the folder, and the one that is asked for.
    chosen
        What of ``shaping`` the user has chosen.
    shaping
        What shapes the new one's results; see ``ScanSettings.shaping``.

    Raises
    ------
    RunFolderError
        ``other-settings``, naming what differs.
    """
    differences = []
    if journal.n_results():
        then = stored_shaping(journal)
        changed = sorted(name for name in chosen - _HARMLESS if then.get(name) != shaping[name])
        named = _options(earlier.arguments, now.arguments)
        if changed == ["dicom_ids"] and not named:  # the key of the hashes is lost: the films are scanned again
            changed = []
        differences += (named or [f"other settings ({', '.join(changed)})"]) if changed else []
    if now.threshold != earlier.threshold:
        differences.append(f"threshold {earlier.threshold:.4g} then, {now.threshold:.4g} now")
    if now.refer != earlier.refer:
        differences.append(f"--refer {_band(earlier)} then, {_band(now)} now")
    if differences:
        raise RunFolderError("other-settings", f"{journal.folder} holds another run: {'; '.join(differences)}.")


def set_aside(folder: Path, roots: Sequence[str], shard: str, document: Mapping[str, Any]) -> Path | None:
    """Move the run in a folder into ``earlier/`` when it is of the same films and of another model.

    Parameters
    ----------
    document
        Content of ``model.json`` of the scan that is asked for.

    Returns
    -------
    Where it lies now; None where nothing was moved.

    Raises
    ------
    RunFolderError
        ``run-busy``, ``journal-format`` or ``output-unwritable``.
    """
    if not (folder / JOURNAL_NAME).is_file():
        return None
    with Journal(folder) as journal:
        if journal.get("run") is None or journal.get("model") == document:
            return None
        info = stored_info(journal)
        if (info.roots, info.shard) != (tuple(roots), shard):
            return None
    place = _next_place(folder / EARLIER_NAME)
    try:
        for path in list(folder.iterdir()):
            if path.name in RUN_PICTURES or any(fnmatch(path.name, pattern) for pattern in RUN_FILES):
                path.rename(place / path.name)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    return place


def _next_place(parent: Path) -> Path:
    """A new numbered folder."""
    try:
        parent.mkdir(exist_ok=True)
        if parent.is_symlink():
            raise RunFolderError("output-unwritable", f"{parent} is a link.")
        number = 1
        while (place := parent / str(number)).exists():
            number += 1
        place.mkdir()
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{parent} cannot be written: {error.strerror}.") from error
    return place


def _options(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changed = [name for name in _SHAPING if name in then and name in now and then[name] != now[name]]
    return [f"--{name.replace('_', '-')} {then[name]} then, {now[name]} now" for name in changed]


def _band(info: RunInfo) -> str:
    return "off" if info.refer is None else f"{info.refer[0]:g}-{info.refer[1]:g}"
