"""What a scan into a folder with an earlier run may do: continue it, and neither replace nor forget what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner.errors import RunFolderError
from scanner.records import RunInfo
from scanner.runs.journal import Journal

_SHAPING = ("gate", "window", "all_frames", "engine", "include_dicom_ids")
"""Options that shape a result; another value of theirs would replace the results that are there."""


def refuse_to_replace(journal: Journal, earlier: RunInfo, now: RunInfo, keys: set[str], model: str) -> None:
    """Refuse to scan with another model, settings, threshold or band into a folder that holds results.

    Parameters
    ----------
    earlier, now
        The run in the folder, and the one that is asked for.
    keys
        What stands for model and settings of the new one, and of others whose results are the same; see
        ``ScanSettings.result_key``.
    model
        Name and version of the new one's model.

    Raises
    ------
    RunFolderError
        ``other-settings``, naming what differs.
    """
    differences = []
    then = journal.get("model") or {}
    model_then = f"{then.get('name', '')} {then.get('version', '')}"
    if model_then != model:
        differences.append(f"model {model_then} then, {model} now")
    elif journal.result_keys() - keys:
        differences += _options(earlier.arguments, now.arguments) or ["model, settings or version of cxrscan differ"]
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
