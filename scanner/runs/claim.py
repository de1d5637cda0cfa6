"""What a scan into a folder with an earlier run may do: continue it, and neither replace nor forget what is there."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from scanner.errors import RunFolderError
from scanner.records import RunInfo
from scanner.runs.journal import Journal, stored_model, stored_shaping

_SHAPING = ("gate", "window", "all_frames", "engine", "include_dicom_ids")
"""Options that shape a result; another value of theirs would replace the results that are there."""


#: A higher limit on the size changes no film that was scored.
_HARMLESS = frozenset({"max_megapixels"})


def refuse_to_replace(
    journal: Journal, earlier: RunInfo, now: RunInfo, chosen: Set[str], shaping: Mapping[str, str], model: str
) -> None:
    """Refuse to scan with another model, settings, threshold or band into a folder that holds results.

    Other versions of this program or of a decoder are no reason to refuse: the films are scanned again.

    Parameters
    ----------
    earlier, now
        The run in the folder, and the one that is asked for.
    chosen
        What of ``shaping`` the user has chosen.
    shaping
        What shapes the new one's results; see ``ScanSettings.shaping``.
    model
        Name and version of the new one's model.

    Raises
    ------
    RunFolderError
        ``other-settings``, naming what differs.
    """
    differences = []
    model_then = stored_model(journal).label
    if model_then != model:
        differences.append(f"model {model_then} then, {model} now")
    elif journal.n_results():
        then = stored_shaping(journal)
        changed = sorted(name for name in chosen - _HARMLESS if then.get(name) != shaping[name])
        named = _options(earlier.arguments, now.arguments)
        differences += (named or [f"other settings ({', '.join(changed)})"]) if changed else []
    if now.threshold != earlier.threshold:
        differences.append(f"threshold {earlier.threshold:.4g} then, {now.threshold:.4g} now")
    if now.refer != earlier.refer:
        differences.append(f"--refer {_band(earlier)} then, {_band(now)} now")
    if differences:
        raise RunFolderError("other-settings", f"{journal.folder} holds another run: {'; '.join(differences)}.")


def _options(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changed = [name for name in _SHAPING if name in then and name in now and then[name] != now[name]]
    return [f"--{name.replace('_', '-')} {then[name]} then, {now[name]} now" for name in changed]


def _band(info: RunInfo) -> str:
    return "off" if info.refer is None else f"{info.refer[0]:g}-{info.refer[1]:g}"
