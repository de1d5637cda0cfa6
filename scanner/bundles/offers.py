"""What bundles are offered, and the bytes of one.

A bundle comes as a folder, a zip file, an address of one, a repository, or a name in an index. A repository on Hugging
Face is written ``hf://OWNER/NAME[@REVISION][/FOLDER]``. An index is a JSON file, as the registry of wsinfer-zoo is:
``{"models": {"NAME": {"source": "https://…", "sha256": "…", "description": "…"}}}``.
What an index names lies behind https, never on this computer.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrscan.scanner.bundles.fetch import fetch
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import (
    CARD_NAME,
    MAX_DESCRIPTION_BYTES,
    MAX_WEIGHTS_BYTES,
    SPEC_NAME,
    WEIGHTS_NAME,
    BundleFiles,
    read_description,
    read_weights,
)
from cxrscan.scanner.system.addresses import without_secrets
from cxrscan.scanner.system.bounded import read_bounded, read_open
from cxrscan.scanner.system.text import printable

_MAX_CARD_BYTES = 1 << 20
_MAX_ARCHIVE_BYTES = MAX_WEIGHTS_BYTES + MAX_DESCRIPTION_BYTES + _MAX_CARD_BYTES
_MAX_ENTRIES = 1_000
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_INDEX_BYTES = 1 << 20
_MAX_TEXT = 300
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"hf://([\w.-]+/[\w.-]+?)(?:@([\w.-]+))?(?:/([\w./-]+))?")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A bundle that somebody offers."""

    source: str
    """Folder, file, https address or repository."""
    sha256: str = ""
    """Of the zip file, or else of ``model.json``, which holds the hash of the weights. Empty: not stated."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A bundle as it was read, not yet tried."""

    files: BundleFiles
    card: bytes
    sha256: str
    """As of ``Offer.sha256``."""


def check_name(name: str) -> str:
    """A name that a bundle can be kept by.

    Raises
    ------
    BundleError
        ``bundle-name``
    """
    if not _NAME.fullmatch(name):
        raise BundleError("bundle-name", f"{printable(name)[:80]!r} is no name for a bundle.")
    return name


def read_index(place: str) -> dict[str, Offer]:
    """What an index offers: name -> offer.

    Parameters
    ----------
    place
        A file of this computer, or an https address.

    Raises
    ------
    BundleError
        ``index-invalid`` or ``download-failed``.
    """
    try:
        data = fetch(place, _MAX_INDEX_BYTES) if "://" in place else read_bounded(Path(place), _MAX_INDEX_BYTES)
        models = json.loads(data)["models"]
        return {check_name(name): _offer(said) for name, said in models.items()}
    except OSError as error:
        raise BundleError("index-invalid", f"{place} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError("index-invalid", f"{printable(without_secrets(place))} is no index of bundles.") from error


def _offer(said: Any) -> Offer:
    source, sha256, description = said["source"], said["sha256"], said.get("description", "")
    texts = all(isinstance(text, str) and printable(text) == text for text in (source, sha256, description))
    is_remote = texts and (source.startswith("https://") or _REPOSITORY.fullmatch(source))
    if not (is_remote and _SHA256.fullmatch(sha256) and max(len(source), len(description)) <= _MAX_TEXT):
        raise ValueError("an entry does not fit")
    return Offer(source, sha256, description)


def receive(offer: Offer) -> Received:
    """Read an offered bundle, and hold it against its hash before anything of it is used.

    Raises
    ------
    BundleError
        ``bundle-missing``, ``bundle-invalid``, ``download-failed``, or ``bundle-other`` for another hash.
    """
    if "://" not in offer.source:
        received = _from_here(Path(offer.source), offer)
    elif repository := _REPOSITORY.fullmatch(offer.source):
        name, revision, folder = repository.groups(default="")
        received = _from_repository(name, revision, folder, offer)
    else:
        received = _from_zip(fetch(offer.source, _MAX_ARCHIVE_BYTES), offer)
    return received


def _check(data: bytes, offer: Offer) -> str:
    """The hash of some bytes; raises where another is promised."""
    found = hashlib.sha256(data).hexdigest()
    if offer.sha256 and found != offer.sha256.lower():
        raise BundleError(
            "bundle-other", f"{_shown(offer)} has SHA-256 {found}, expected {printable(offer.sha256)[:64]}."
        )
    return found


def _from_here(path: Path, offer: Offer) -> Received:
    if path.is_dir():
        description = read_description(path)
        sha256 = _check(description, offer)
        card = read_bounded(path / CARD_NAME, _MAX_CARD_BYTES) if (path / CARD_NAME).is_file() else b""
        return Received(BundleFiles(description, read_weights(path)), card, sha256)
    try:
        data = read_bounded(path, _MAX_ARCHIVE_BYTES)
    except OSError as error:
        raise BundleError("bundle-missing", f"{path} cannot be read: {error.strerror}.") from error
    return _from_zip(data, offer)


def _from_repository(name: str, revision: str, folder: str, offer: Offer) -> Received:
    """Files of a repository on Hugging Face, or on the mirror that ``HF_ENDPOINT`` names."""
    server = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    base = f"{server}/{name}/resolve/{revision or 'main'}/{f'{folder}/' if folder else ''}"
    description = fetch(base + SPEC_NAME, MAX_DESCRIPTION_BYTES)
    sha256 = _check(description, offer)
    try:
        card = fetch(base + CARD_NAME, _MAX_CARD_BYTES)
    except BundleError:  # it is not there
        card = b""
    return Received(BundleFiles(description, fetch(base + WEIGHTS_NAME, MAX_WEIGHTS_BYTES)), card, sha256)


def _from_zip(data: bytes, offer: Offer) -> Received:
    """The three files of a bundle in a zip file; no name in it becomes a path, and nothing else is unpacked."""
    sha256 = _check(data, offer)
    _refuse_long_directory(data, offer)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (found,) = (name for name in archive.namelist() if name.rpartition("/")[2] == SPEC_NAME)
            folder = found.removesuffix(SPEC_NAME)
            names = set(archive.namelist())

            def read(name: str, max_bytes: int) -> bytes:
                if archive.getinfo(folder + name).compress_type not in _PACKED:
                    raise zipfile.BadZipFile
                with archive.open(folder + name) as entry:
                    return read_open(entry, max_bytes)

            files = BundleFiles(read(SPEC_NAME, MAX_DESCRIPTION_BYTES), read(WEIGHTS_NAME, MAX_WEIGHTS_BYTES))
            card = read(CARD_NAME, _MAX_CARD_BYTES) if folder + CARD_NAME in names else b""
    except (ValueError, KeyError, OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise _no_bundle(offer) from error
    return Received(files, card, sha256)


def _refuse_long_directory(data: bytes, offer: Offer) -> None:
    """Refuse a zip file with very many entries before ``zipfile`` takes memory for all of them."""
    if data.count(b"PK\x01\x02") > _MAX_ENTRIES:
        raise _no_bundle(offer)


def _shown(offer: Offer) -> str:
    return printable(without_secrets(offer.source))


def _no_bundle(offer: Offer) -> BundleError:
    return BundleError(
        "bundle-invalid", f"{_shown(offer)} is no zip file with one {SPEC_NAME} and {WEIGHTS_NAME} beside it."
    )
