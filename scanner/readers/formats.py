"""The formats that films come in: how each is recognised, and what reads it.

Recognising needs no imaging library, because the walk looks at every file; readers are imported when a film needs them.
A further format is one row of ``FORMATS``, and one module unless Pillow reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.bare_dicom import looks_like_bare_dataset
from cxrscan.scanner.readers.multipart import begins_multipart, first_part
from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.records import Radiograph

HEAD_BYTES = 132
"""How much of a file tells its format: a DICOM preamble and its prefix (PS3.10 section 7.1)."""

_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF, either byte order
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_JPEG_2000_HEADS = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")  # in boxes, and bare
_JPEG_XL_HEADS = (b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
#: What else is found under the name of a film: first bytes -> what it is.
_OTHERS: dict[bytes, str] = {
    b"%PDF": "a PDF document",
    b"GIF8": "a GIF picture",
    b"8BPS": "a Photoshop document",
    b"PK\x03\x04": "a ZIP archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\xd0\xcf\x11\xe0": "an Office document",
    b"<!DOC": "a web page",
    b"<html": "a web page",
    b"/9j/": "a picture written as text (base64)",
    b"iVBORw0KGgo": "a picture written as text (base64)",
    b"data:image": "a picture written as text (base64)",
    b"HTTP/": "a web server's answer, headers and all",
    b"<?xml": "an XML document",
    b"<svg": "a drawing (SVG)",
    b"{": "a JSON document",
    b"\x1a\x45\xdf\xa3": "a film of moving pictures",
    b"\0\0\0\0": "a file that begins with zeros, as one does that was not copied to its end",
}
_STRAY_BYTES = b"\r\n\t \xef\xbb\xbf"
_STRAY_BEGINNINGS = tuple(bytes([byte]) for byte in b"\r\n\t \xef")
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
    is_read: bool = True
    """Whether the reader can do more than say what the file is."""


def _begins_dicom(head: bytes) -> bool:
    return b"DICM" in (head[128:132], head[:4]) or looks_like_bare_dataset(head, HEAD_BYTES) or begins_multipart(head)


def _begins_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _begins_webp(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _of_brands(*brands: bytes) -> Callable[[bytes], bool]:
    """Formats in the boxes of ISO/IEC 14496-12, told by their major brand."""
    return lambda head: head[4:8] == b"ftyp" and head[8:12] in brands


def _begins_with(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _read_dicom(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.dicom import read_dicom  # pydicom is slow to import

    if begins_multipart(data[:HEAD_BYTES]):
        data = first_part(data)
    return read_dicom(data, options)


def _read_jpeg(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.jpeg import read_jpeg

    return [read_jpeg(data, options)]


def _read_png(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.png import read_png

    return [read_png(data, options)]


def _read_tiff(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.tiff import read_tiff

    return [read_tiff(data, options)]


def _read_raster(kind: str, data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.raster import read_raster

    return [read_raster(kind, data, options)]


def _read_jpeg_2000(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.jpeg_successors import read_jpeg_2000

    return [read_jpeg_2000(data, options)]


def _read_jpeg_xl(data: bytes, options: ReadOptions) -> list[Radiograph]:
    from cxrscan.scanner.readers.jpeg_successors import read_jpeg_xl

    return [read_jpeg_xl(data, options)]


def _refuse_heic(data: bytes, options: ReadOptions) -> list[Radiograph]:
    raise FilmError("decode-failed", "The picture is HEIC, which is not read here; export it as JPEG, PNG or TIFF.")


FORMATS: tuple[Format, ...] = (
    # DICOM before TIFF: a DICOM preamble may hold a TIFF header
    Format("dicom", "DICOM", (".dcm", ".dicom", ".dic", ".ima"), _begins_dicom, _read_dicom),
    Format("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), _begins_with(b"\xff\xd8\xff"), _read_jpeg),
    Format("png", "PNG", (".png",), _begins_with(b"\x89PNG\r\n\x1a\n"), _read_png),
    Format("tiff", "TIFF", (".tif", ".tiff"), _begins_with(*_TIFF_HEADS), _read_tiff),
    Format("bmp", "BMP", (".bmp", ".dib"), _begins_bmp, partial(_read_raster, "bmp")),
    Format("jp2", "JPEG 2000", (".jp2", ".j2k", ".jpf"), _begins_with(*_JPEG_2000_HEADS), _read_jpeg_2000),
    Format("jxl", "JPEG XL", (".jxl",), _begins_with(*_JPEG_XL_HEADS), _read_jpeg_xl),
    Format("webp", "WebP", (".webp",), _begins_webp, partial(_read_raster, "webp")),
    Format("avif", "AVIF", (".avif",), _of_brands(b"avif", b"avis"), partial(_read_raster, "avif")),
    Format("heic", "HEIC", (".heic", ".heif"), _of_brands(*_HEIC_BRANDS), _refuse_heic, is_read=False),
)
"""In the order in which a file is held against them."""

TITLES = ", ".join(each.title for each in FORMATS if each.is_read)
"""Their names for people."""

_ENDINGS = tuple(ending for each in FORMATS for ending in each.endings)


def sniff_kind(head: bytes) -> str | None:
    """``Format.kind`` of a file from its first ``HEAD_BYTES`` bytes; None when it is of no format of ours."""
    found = _sniff(_without_stray_bytes(head))
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
    data = _without_stray_bytes(data)
    found = _sniff(data[:HEAD_BYTES])
    if found is not None:
        return found.read(data, options)
    if data.startswith(_GZIP):  # RFC 1952; archives keep ``.dcm.gz``
        raise FilmError("gzipped", "The file is compressed with gzip.")
    other = next((f"file is {name}," for begin, name in _OTHERS.items() if data.startswith(begin)), "content is")
    raise FilmError("not-an-image", f"The {other} none of {TITLES}.")


def _sniff(head: bytes) -> Format | None:
    return next((each for each in FORMATS if each.begins(head)), None)


def _without_stray_bytes(data: bytes) -> bytes:
    """Content without the line ends and byte order mark that web servers' scripts leave in front of it."""
    if data[:1] not in _STRAY_BEGINNINGS:
        return data
    return data[:HEAD_BYTES].lstrip(_STRAY_BYTES) + data[HEAD_BYTES:]
