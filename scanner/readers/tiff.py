"""TIFF files (Adobe TIFF 6.0, BigTIFF): choose the page that is the film, and decode it.

The page's directory is read here and written anew with nothing but what its pixels need. So the decoders never meet
damaged metadata, and what they pass over (orientation, white is zero, previews) is done here, for every depth.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import UnidentifiedImageError

from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.readers.raster import Decoded, check_size, decode_with_pillow, decoding_errors, to_radiograph
from cxrscan.scanner.records import Radiograph
from cxrscan.scanner.system.quiet import silent_stderr

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = (
    *(254, 255, 256, 257, 258, 259, 262),
)
_ORIENTATION, _SAMPLES, _LARGEST, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 274, 277, 281, 284, 322, 323
_SUB_DIRECTORIES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 330, 338, 339
#: Tags that say how the pixels lie and what they mean.
_NEEDED = {
    *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, 266, 273, _SAMPLES, 278, 279, _PLANAR, 292, 293, 317, 320),
    *(
        _TILE_WIDTH,
        _TILE_HEIGHT,
        324,
        325,
        332,
        _EXTRA_SAMPLES,
        _SAMPLE_FORMAT,
        347,
        *range(512, 522),
        *range(529, 533),
    ),
}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_SHORT, _UNSIGNED, _SEPARATE_PLANES = 3, 1, 2
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_GREY_AND_RGB = {_WHITE_IS_ZERO, _BLACK_IS_ZERO, 2}
_COLOUR_SPACES = {3: "palette colours", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "CIELab", 10: "CIELab"}
_PREVIEW, _MASK, _OLD_PREVIEW = 1, 4, 2
_UNKNOWN_COMPRESSIONS = {
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    34892: "the JPEG of raw camera pictures",
    34713: "Nikon's NEF",
    32767: "Sony's ARW",
}
_MAX_PAGES = 64  # a film lies among the first
_MAX_ENTRIES = 4096
_MAX_SAMPLES = 4
_ALPHA = {1, 2}  # associated, unassociated; what is unspecified is no transparency


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a directory's numbers lie: byte order, and classic or BigTIFF."""

    order: str
    is_big: bool

    def number(self, data: bytes, start: int, code: str) -> int:
        return int(struct.unpack_from(self.order + code, data, start)[0])

    @property
    def counts(self) -> str:
        """Type of the number of entries."""
        return "Q" if self.is_big else "H"

    @property
    def offsets(self) -> str:
        """Type of an offset, and of the number of values."""
        return "Q" if self.is_big else "I"

    @property
    def entry_bytes(self) -> int:
        return 20 if self.is_big else 12

    @property
    def first_directory_at(self) -> int:
        return 8 if self.is_big else 4


@dataclass(frozen=True, slots=True)
class _Page:
    """One directory of a file."""

    layout: _Layout
    entries: dict[int, bytes]
    """Tag -> its entry as it stands in the file."""
    values: dict[int, tuple[int, ...]]
    """Tag -> its first values, of tags that hold whole numbers."""

    def one(self, tag: int, default: int) -> int:
        return self.values.get(tag, (default,))[0]

    @property
    def is_preview(self) -> bool:
        """Whether the page is another's small copy or mask."""
        flags = self.one(_NEW_SUBFILE_TYPE, 0)
        return bool(flags & (_PREVIEW | _MASK)) or self.one(_SUBFILE_TYPE, 1) == _OLD_PREVIEW

    @property
    def orientation(self) -> int | str:
        """How the picture is stored, as ``orientation_of`` takes it."""
        if _ORIENTATION in self.values or _ORIENTATION not in self.entries:
            return self.one(_ORIENTATION, 1)
        inside = self.entries[_ORIENTATION][4 + struct.calcsize(self.layout.offsets) :]
        return inside.split(b"\0")[0].decode("latin-1")

    @property
    def is_deep(self) -> bool:
        """Whether the samples are more or other than unsigned bytes: Pillow would keep one byte of some."""
        formats, depths = self.values.get(_SAMPLE_FORMAT, (1,)), self.values.get(_BITS, (1,))
        return max(depths) > 8 or set(formats) != {_UNSIGNED}


def read_tiff(data: bytes, options: ReadOptions) -> Radiograph:
    """Decode the first page of a TIFF file that is no preview.

    Raises
    ------
    FilmError
        ``too-large``, ``truncated`` or ``decode-failed``.
    """
    with decoding_errors(), silent_stderr:  # libtiff tells of each bad line
        pages = list(_pages(data))
        page = next((page for page in pages if not page.is_preview), pages[0])
        width_px, height_px = page.one(_WIDTH, 0), page.one(_HEIGHT, 0)
        check_size(width_px, height_px, options)
        check_size(page.one(_TILE_WIDTH, 0), page.one(_TILE_HEIGHT, 0), options)  # decoded whole
        if page.one(_SAMPLES, 1) > _MAX_SAMPLES + 1:
            raise FilmError("decode-failed", "The TIFF page holds more samples per pixel than any colour space has.")
        if (compression := page.one(_COMPRESSION, 1)) in _UNKNOWN_COMPRESSIONS:
            name = _UNKNOWN_COMPRESSIONS[compression]
            raise FilmError("decode-failed", f"The TIFF page is compressed by {name}, which is not read here.")
        alone = _with_one_page(data, page)
        values, alpha = _decode_deep(alone, page) if page.is_deep else _decode_plain(alone, page)
    n_films = sum(not page.is_preview for page in pages)
    return to_radiograph(
        Decoded(
            kind="tiff",
            values=values,
            alpha=alpha,
            width_px=width_px,
            height_px=height_px,
            depth_bits=_stated_bits(page),
            is_inverted=page.one(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO,
            orientation=page.orientation,
            reasons=("multi-frame",) if n_films > 1 else (),
        )
    )


def _decode_plain(data: bytes, page: _Page) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic] | None]:
    try:
        return decode_with_pillow(data, "TIFF")
    except UnidentifiedImageError:  # a layout that Pillow does not know
        return _decode_deep(data, page)


def _decode_deep(data: bytes, page: _Page) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic] | None]:
    """Samples of any depth, and transparency."""
    import imagecodecs  # slow to import, and hardly ever needed

    if (photometric := page.one(_PHOTOMETRIC, _BLACK_IS_ZERO)) not in _GREY_AND_RGB:
        name = _COLOUR_SPACES.get(photometric, "a colour space of its own")
        raise FilmError("decode-failed", f"The TIFF page is in {name}, which is read at 8 bits only.")
    values: npt.NDArray[np.generic] = imagecodecs.tiff_decode(data)
    if page.one(_PLANAR, 1) == _SEPARATE_PLANES and values.ndim == 3:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 2:
        return values, None
    n_colours = 3 if values.shape[2] >= 3 else 1
    extra = page.values.get(_EXTRA_SAMPLES, ())
    alpha = values[..., n_colours] if values.shape[2] > n_colours and extra and extra[0] in _ALPHA else None
    return (values[..., :3] if n_colours == 3 else values[..., 0]), alpha


def _stated_bits(page: _Page) -> int:
    """Least number of bits per value that the page states; 0 where that is the container's."""
    bits, largest = max(page.values.get(_BITS, (1,))), page.one(_LARGEST, 0)
    return bits if 8 < bits < 16 else largest.bit_length() if largest.bit_length() < 16 else 0


def _pages(data: bytes) -> Iterator[_Page]:
    """Directories of a file in their order; those below them when all are previews.

    Raises
    ------
    ValueError
        There is none.
    """
    layout = _Layout("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))
    seen: set[int] = set()
    chain = list(_chain(data, layout, layout.number(data, layout.first_directory_at, layout.offsets), seen))
    if chain and all(page.is_preview for page in chain):
        for start in [start for page in chain for start in page.values.get(_SUB_DIRECTORIES, ())]:
            chain += _chain(data, layout, start, seen)
    if not chain:
        raise ValueError("the file is truncated: it holds no page")
    yield from chain


def _chain(data: bytes, layout: _Layout, start: int, seen: set[int]) -> Iterator[_Page]:
    """Directories that each name the next."""
    while start and start not in seen and len(seen) < _MAX_PAGES:
        seen.add(start)
        try:
            page = _directory(data, layout, start)
            end = (
                start + struct.calcsize(layout.counts) + layout.entry_bytes * layout.number(data, start, layout.counts)
            )
            start = layout.number(data, end, layout.offsets)
        except struct.error:
            if len(seen) == 1:
                raise ValueError("the file is truncated: its directory lies beyond its end") from None
            return
        yield page


def _directory(data: bytes, layout: _Layout, start: int) -> _Page:
    n_entries = layout.number(data, start, layout.counts)
    if n_entries > _MAX_ENTRIES:
        raise ValueError(f"a directory of {n_entries} entries")
    entries: dict[int, bytes] = {}
    first = start + struct.calcsize(layout.counts)
    for i in range(n_entries):
        entry = data[first + i * layout.entry_bytes : first + (i + 1) * layout.entry_bytes]
        entries.setdefault(layout.number(entry, 0, "H"), entry)
    return _Page(
        layout, entries, {tag: found for tag, entry in entries.items() if (found := _integers(data, layout, entry))}
    )


def _integers(data: bytes, layout: _Layout, entry: bytes) -> tuple[int, ...]:
    """First values of an entry; none unless they are whole numbers."""
    kind, n_values = layout.number(entry, 2, "H"), min(layout.number(entry, 4, layout.offsets), 16)
    if kind not in _INTEGERS:
        return ()
    at = 4 + struct.calcsize(layout.offsets)
    room = len(entry) - at
    size = layout.number(entry, 4, layout.offsets) * _TYPE_BYTES[kind]
    source, start = (entry, at) if size <= room else (data, layout.number(entry, at, layout.offsets))
    try:
        return struct.unpack_from(f"{layout.order}{n_values}{_INTEGERS[kind]}", source, start)
    except struct.error:
        return ()


def _with_one_page(data: bytes, page: _Page) -> bytes:
    """Append a directory of one page, without what no pixel needs, and make it the file's only one."""
    layout = page.layout
    entries = [entry for tag, entry in sorted(page.entries.items()) if tag in _NEEDED]
    if page.one(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO:  # inverted here, for every depth
        black = struct.pack(f"{layout.order}HH{layout.offsets}H", _PHOTOMETRIC, _SHORT, 1, _BLACK_IS_ZERO)
        black = black.ljust(layout.entry_bytes, b"\0")
        entries = [black if layout.number(entry, 0, "H") == _PHOTOMETRIC else entry for entry in entries]
    at = len(data) + len(data) % 2
    directory = struct.pack(layout.order + layout.counts, len(entries)) + b"".join(entries) + bytes(8)
    first = layout.first_directory_at
    offset = struct.pack(layout.order + layout.offsets, at)
    return b"".join((data[:first], offset, data[first + len(offset) :], bytes(at - len(data)), directory))
