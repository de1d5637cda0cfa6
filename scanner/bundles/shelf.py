"""Bundles that this user has added, each in a folder of its name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import click

from cxrscan.scanner.bundles.offers import Received, check_name
from cxrscan.scanner.errors import BundleError, RunFolderError
from cxrscan.scanner.model_bundle import CARD_NAME, SPEC_NAME, WEIGHTS_NAME
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.scanner.system.text import printable

ORIGIN_NAME = "origin.json"
_MAX_ORIGIN_BYTES = 1 << 16


def shelf() -> Path:
    """The folder of this user's bundles."""
    return Path(click.get_app_dir("cxrscan")) / "models"


def names() -> list[str]:
    """Names of the bundles that were added."""
    folder = shelf()
    return sorted(each.name for each in folder.iterdir() if (each / SPEC_NAME).is_file()) if folder.is_dir() else []


def bundle_folder(bundle: str | os.PathLike[str]) -> Path:
    """The folder of a bundle, from its path or from the name of one that was added; a name goes before a path."""
    if isinstance(bundle, str) and not {"/", os.sep} & set(bundle) and bundle in names():
        return shelf() / bundle
    return Path(bundle)


def origin(name: str) -> str:
    """Where a bundle was added from; empty where that is not known."""
    try:
        said = json.loads(read_bounded(shelf() / name / ORIGIN_NAME, _MAX_ORIGIN_BYTES))
        return printable(str(said["source"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextmanager
def laid_out(received: Received, source: str) -> Iterator[Path]:
    """A folder with the files of a bundle, beside those that were added; deleted in the end unless it was kept.

    Raises
    ------
    RunFolderError
        ``output-unwritable``
    """
    try:
        shelf().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(mkdtemp(prefix=".new-", dir=shelf()))
        (folder / SPEC_NAME).write_bytes(received.files.description)
        (folder / WEIGHTS_NAME).write_bytes(received.files.weights or b"")
        (folder / CARD_NAME).write_bytes(received.card)
        said = {
            "source": source,
            "sha256": received.sha256,
            "added_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (folder / ORIGIN_NAME).write_text(json.dumps(said, indent=2))
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{shelf()} cannot be written: {error.strerror}.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_taken(name: str) -> None:
    """Refuse a name that no bundle can be kept by, or that another has; raises ``bundle-name`` or ``bundle-exists``."""
    if (shelf() / check_name(name)).exists():
        raise BundleError("bundle-exists", f"There is a bundle {name} already.")


def keep(folder: Path, name: str) -> Path:
    """Keep a folder of ``laid_out`` by a name, in place of another of that name; returns where it lies."""
    target = shelf() / check_name(name)
    shutil.rmtree(target, ignore_errors=True)
    return folder.rename(target)
