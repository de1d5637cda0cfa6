"""The formats that films come in: how each is recognised, and what reads it.

Recognising needs no imaging library, because the walk looks at every file; readers are imported when a film needs them.
A further format is one row of ``FORMATS``, and one module unless Pillow reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scanner.errors import FilmError
from scanner.readers.bare_dicom import looks_like_bare_dataset
from scanner.readers.options import ReadOptions
from scanner.records import Radiograph

HEAD_BYTES = 132
"""How much of a file tells its format: a DICOM preamble and its prefix (PS3.10 section 7.1)."""

_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF, either byte order
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_GZIP = b"\x1f\x8b\x08"


@dataclass(frozen=True, slots=True)
class Format:
    """One format of films."""

    kind: str
    """Short name, as results and ``pixel_path`` show it."""
    title: str
    """Name for people."""
    endings: tuple[str, ...]
    """File name endings that promise it, lower case with the dot."""
    begins: Callable[[bytes], bool]
    """Whether the first ``HEAD_BYTES`` bytes of a file are of this format."""
    read: Callable[[bytes, ReadOptions], list[Radiograph]]
    """Its reader; raises as ``read_film`` does."""


def _begins_dicom(head: bytes) -> bool:
    return head[128:132] == b"DICM" or looks_like_bare_dataset(head, HEAD_BYTES)


def _begins_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _begins_with(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _read_dicom(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from scanner.readers.dicom import read_dicom  # pydicom is slow to import

    return read_dicom(data, options)


def _read_raster(pillow_format: str, data: bytes, options: ReadOptions) -> list[Radiograph]:
    from scanner.readers.raster import read_raster

    return [read_raster(data, pillow_format, options)]


FORMATS: tuple[Format, ...] = (
    # DICOM before TIFF: a DICOM preamble may hold a TIFF header
    Format("dicom", "DICOM", (".dcm", ".dicom", ".dic", ".ima"), _begins_dicom, _read_dicom),
    Format(
        *("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif")),
        *(_begins_with(b"\xff\xd8\xff"), partial(_read_raster, "JPEG")),
    ),
    Format("png", "PNG", (".png",), _begins_with(b"\x89PNG\r\n\x1a\n"), partial(_read_raster, "PNG")),
    Format("tiff", "TIFF", (".tif", ".tiff"), _begins_with(*_TIFF_HEADS), partial(_read_raster, "TIFF")),
    Format("bmp", "BMP", (".bmp", ".dib"), _begins_bmp, partial(_read_raster, "BMP")),
)
"""In the order in which a file is held against them."""

TITLES = ", ".join(each.title for each in FORMATS)
"""Their names for people."""

_ENDINGS = tuple(ending for each in FORMATS for ending in each.endings)


def sniff_kind(head: bytes) -> str | None:
    """``Format.kind`` of a file from its first ``HEAD_BYTES`` bytes; None when it is of no format of ours."""
    found = _sniff(head)
    return found.kind if found else None


def promises_film(name: str) -> bool:
    """Whether a file's name says that it is a film, whatever its content."""
    # "film.dcm.gz" too: that it must be unpacked first is to be told, not passed over
    return name.lower().removesuffix(".gz").endswith(_ENDINGS)


def without_ending(name: str) -> str:
    """A film's name without the ending of its format; other dots are part of it, as in ``1.2.840.4``."""
    return name.rpartition(".")[0] if name.lower().endswith(_ENDINGS) else name


def read_film(data: bytes, options: ReadOptions) -> list[Radiograph]:
    """Read a film of any format: the one door for scanning, viewing, training and fitting.

    Parameters
    ----------
    data
        The file's bytes.

    Returns
    -------
    One film; with ``options.frames`` ``all`` one for each frame.

    Raises
    ------
    FilmError
        ``not-an-image``, ``gzipped``, ``too-large``, ``truncated`` or ``decode-failed``; of DICOM objects also
        ``bad-dicom``, ``no-pixels`` or ``unsupported-transfer-syntax``.
    NotAFilmError
        ``dicomdir`` or ``non-image-object``.
    """
    found = _sniff(data[:HEAD_BYTES])
    if found is not None:
        return found.read(data, options)
    if data.startswith(_GZIP):  # RFC 1952; archives keep ``.dcm.gz``
        raise FilmError("gzipped", "The file is compressed with gzip.")
    raise FilmError("not-an-image", f"The content is none of {TITLES}.")


def _sniff(head: bytes) -> Format | None:
    return next((each for each in FORMATS if each.begins(head)), None)
