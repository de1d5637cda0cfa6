"""DICOM files -> ``Radiograph``: open, decode, bring to display values.

Imported only when a DICOM file turns up, because pydicom and imagecodecs take half a second to import.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import Dataset, config
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from cxrscan.scanner.errors import FilmError, NotAFilmError
from cxrscan.scanner.readers import codecs
from cxrscan.scanner.readers import dicom_header as header
from cxrscan.scanner.readers.dicom_pixels import StoredFormat, render_grey, resample_square
from cxrscan.scanner.readers.encapsulation import frame_bytes
from cxrscan.scanner.readers.grey import DEPTHS, depth_bits, luminance, mean_chroma
from cxrscan.scanner.readers.options import ReadOptions
from cxrscan.scanner.records import FilmAttributes, FloatImage, Radiograph
from cxrscan.scanner.system.quiet import Shared, silent_warnings

_PREAMBLE_BYTES = 128
_PREFIX = b"DICM"
_PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_SAID = {
    "truncated": "The picture ends early.",
    "decode-failed": "The picture is damaged, differs from its header, or uses a feature that no decoder here knows.",
}
_MAX_SAMPLES = 4  # PS3.3 C.7.6.3.1.1; four in retired colour spaces
_UNDEFINED_LENGTH = 0xFFFFFFFF
_USUAL_DEFLATION = 4  # times that a data set is larger than its deflated form; memory is taken for so much at first
_SURPLUS_BYTES, _SURPLUS_SHARE = 64, 0.1  # padding that writers leave behind the pixels
_GREY = ("MONOCHROME1", "MONOCHROME2")
_TAGS: list[BaseTag | int] = [int(Tag(keyword)) for keyword in header.KEYWORDS]  # numbers compare faster than tags
_TAGS_WITH_IDS = [*_TAGS, *(int(Tag(keyword)) for keyword in header.ID_KEYWORDS)]
codecs.register()


class _PixelFinder:
    """Stops pydicom's parser in front of the pixels and keeps where they lie, so that they are not copied."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer = buffer
        self.keyword = ""
        """Empty as long as no pixels were found."""
        self.vr = ""
        self.encapsulated = False
        """Whether the pixels have no length, because they are a sequence of fragments (PS3.5 section A.4)."""
        self.value_start = 0
        self.value_end = 0
        """End of the last element seen; of the pixels, once found. The start where no length is given."""

    def reached(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        """Take note of an element; the buffer stands at its value."""
        self.value_start = self._buffer.tell()
        self.encapsulated = length == _UNDEFINED_LENGTH
        self.value_end = self.value_start + (0 if self.encapsulated else length)
        self.keyword, self.vr = _PIXEL_TAGS.get(tag, ""), vr or "OW"
        return bool(self.keyword)


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """A parsed header and where the pixels lie."""

    dataset: Dataset
    syntax: UID
    data: bytes
    """What the positions in ``pixels`` count in: the file, or the inflated data set of a deflated one."""
    pixels: _PixelFinder
    n_threads: int


def read_dicom(data: bytes, options: ReadOptions) -> list[Radiograph]:
    """Decode a DICOM film and bring it to display values.

    Parameters
    ----------
    data
        The file's bytes, with or without preamble and meta header.

    Returns
    -------
    One film, or with ``options.frames`` ``all`` one for each frame.

    Raises
    ------
    FilmError
        ``not-an-image``, ``bad-dicom``, ``no-pixels``, ``too-large``, ``truncated``, ``decode-failed`` or
        ``unsupported-transfer-syntax``.
    NotAFilmError
        ``dicomdir`` or ``non-image-object``.
    """
    with quiet_pydicom():
        file = _open(data, options)
        _refuse_other_objects(file)
        n_frames = _check_size(file, options)
        key = options.ids if isinstance(options.ids, bytes) else None
        identifiers = () if options.ids is None else header.hashed_ids(file.dataset, key)
        attributes = header.film_attributes(file.dataset, identifiers)
        return [_read_frame(file, index, options, attributes) for index in range(n_frames)]


@contextmanager
def _logger_disabled() -> Iterator[None]:
    logger: logging.Logger = config.logger
    was_disabled = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = was_disabled


_silent_logger = Shared(_logger_disabled)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings and log lines back: they quote values, and whoever reads here judges files itself."""
    with silent_warnings, _silent_logger:
        yield


def _open(data: bytes, options: ReadOptions) -> _OpenFile:
    """Parse the wanted attributes up to the pixels, whose bytes are not copied."""
    buffer = io.BytesIO(data)
    has_preamble = data[_PREAMBLE_BYTES : _PREAMBLE_BYTES + len(_PREFIX)] == _PREFIX
    prefix = len(_PREFIX) if data.startswith(_PREFIX) else 0  # the preamble alone is missing
    buffer.seek(_PREAMBLE_BYTES + len(_PREFIX) if has_preamble else prefix)
    try:
        meta = read_dataset(buffer, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
            raise NotAFilmError("dicomdir", "A DICOMDIR lists films and holds none.")
        syntax = UID(meta.get("TransferSyntaxUID") or _guess_syntax(data[buffer.tell() :][:6]))
        if syntax == DeflatedExplicitVRLittleEndian:
            data = _inflate(data[buffer.tell() :], options.max_megapixels)
            buffer = io.BytesIO(data)
        pixels = _PixelFinder(buffer)
        dataset = read_dataset(
            buffer,
            syntax == ImplicitVRLittleEndian,
            syntax != ExplicitVRBigEndian,
            stop_when=pixels.reached,
            specific_tags=_TAGS if options.ids is None else _TAGS_WITH_IDS,
        )
        sop_class = header.sop_class(dataset)
    except header.PYDICOM_ERRORS as error:
        raise FilmError("bad-dicom", f"The DICOM header cannot be parsed ({type(error).__name__}).") from error
    if not has_preamble and sop_class.type != "SOP Class":
        raise FilmError("not-an-image", "The content is neither a picture nor recognisably DICOM.")
    if not pixels.keyword and pixels.value_end > len(data):
        raise FilmError("truncated", "The DICOM file ends within its header.")
    return _OpenFile(dataset, syntax, data, pixels, options.n_threads)


def _guess_syntax(first_bytes: bytes) -> UID:
    """Native encoding of a data set without meta header, from its first element: PS3.5 section 7.1."""
    if not first_bytes[4:6].isupper():
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if first_bytes[:1] == b"\0" else ExplicitVRLittleEndian


def _inflate(deflated: bytes, max_megapixels: float) -> bytes:
    """Undo the deflation of a data set (PS3.5 section A.5), as far as a film of the allowed size may reach."""
    limit = int(max_megapixels * 1e6 * 2) + 1_000_000  # two bytes per pixel and a header
    try:  # twice as fast, and silent about what is wrong
        return bytes(imagecodecs.deflate_decode(deflated, raw=True, out=min(limit, _USUAL_DEFLATION * len(deflated))))
    except imagecodecs.DeflateError:
        pass
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = inflater.decompress(deflated, limit)
    except zlib.error as error:
        raise FilmError("bad-dicom", "The deflated data set is damaged.") from error
    if inflater.unconsumed_tail:
        raise FilmError("too-large", f"The deflated data set holds more than {max_megapixels:g} megapixels.")
    if not inflater.eof:
        raise FilmError("truncated", "The deflated data set ends early.")
    return inflated


def _refuse_other_objects(file: _OpenFile) -> None:
    """Tell objects that are no films from films that lack their pixels."""
    sop_class = header.sop_class(file.dataset)
    if header.is_own_capture(file.dataset):
        raise NotAFilmError("own-result", "The picture is a result of cxrscan itself.")
    if file.pixels.keyword:
        return
    if not sop_class:
        raise FilmError(
            "bad-dicom", "The DICOM header names no kind of object (SOP Class UID), and there are no pixels."
        )
    if "Image" not in sop_class.name:
        raise NotAFilmError("non-image-object", f"The DICOM object is no picture: {header.known_name(sop_class)}.")
    raise FilmError("no-pixels", f"The DICOM object holds no pixel data: {header.known_name(sop_class)}.")


def _check_size(file: _OpenFile, options: ReadOptions) -> int:
    """Number of frames to read, once the header is complete and its claims are bearable."""
    dataset = file.dataset
    rows, columns, n_frames = (header.count(dataset, name) for name in ("Rows", "Columns", "NumberOfFrames"))
    if not rows or not columns or not header.count(dataset, "BitsAllocated"):
        raise FilmError("bad-dicom", "The DICOM header does not say how large the picture is or how its pixels lie.")
    if header.count(dataset, "SamplesPerPixel") > _MAX_SAMPLES:
        raise FilmError("bad-dicom", "The DICOM header claims more samples per pixel than any colour space has.")
    n_wanted = max(1, n_frames) if options.frames == "all" else 1
    aspect = header.pixel_aspect(dataset)  # pixels that are no squares become more
    if rows * columns * n_wanted * max(aspect, 1 / aspect) > options.max_megapixels * 1e6:
        raise FilmError("too-large", f"The picture is larger than the limit of {options.max_megapixels:g} megapixels.")
    return n_wanted


def _read_frame(file: _OpenFile, index: int, options: ReadOptions, attributes: FilmAttributes) -> Radiograph:
    coarse = _decode_coarse(file, index, options.min_jpeg_2000_px)
    decoded, photometric = (coarse[0], "MONOCHROME2") if coarse is not None else _decode(file, index)
    chroma = 0.0
    if decoded.ndim == 3 or photometric == "PALETTE COLOR":
        pixels, chroma, steps = _render_colour(decoded, photometric, file.dataset)
    else:
        stored = _stored_format(file, decoded.dtype)
        pixels, steps = render_grey(decoded, stored, header.grey_steps(file.dataset, options.window))
    height_px, width_px = pixels.shape
    if coarse is not None:
        steps.insert(0, f"1/{coarse[1]}")
    aspect = header.pixel_aspect(file.dataset)
    if round(aspect, 2) != 1.0:
        pixels = resample_square(pixels, aspect)
        steps.append("aspect")
    reasons = ["for-processing"] if attributes.presentation_intent == "FOR PROCESSING" else []
    if header.says_burned_in(file.dataset):
        reasons.append("burned-in-text")
    if "window-misfit" in steps:
        reasons.append("window-misfit")
    if any(step.startswith("ignored-") for step in steps):
        reasons.append("number-unreadable")
    if options.frames == "first" and header.count(file.dataset, "NumberOfFrames") > 1:
        reasons.append("multi-frame")
    return Radiograph(pixels, width_px, height_px, ">".join(["dicom", *steps]), chroma, attributes, tuple(reasons))


def _decode_coarse(file: _OpenFile, index: int, min_side_px: int) -> tuple[npt.NDArray[Any], int] | None:
    """Decode a grey frame without its finest detail, shape (H, W), and say how much coarser it is.

    None where only the full decoder will do. Pixel padding has a value of its own, which must not be blended with the
    picture's.
    """
    dataset = file.dataset
    if (
        file.syntax not in codecs.VALUE_SYNTAXES
        or not file.pixels.encapsulated
        or header.is_signed(dataset)
        or "PixelPaddingValue" in dataset
        or header.decoding_options(dataset, "PixelData", "OB")["photometric_interpretation"] not in _GREY
    ):
        return None
    try:
        source = _codestream(file, index)
        rows, columns = (header.count(dataset, name) for name in ("Rows", "Columns"))
        return codecs.decode_without_detail(source, rows, columns, min_side_px)
    except header.PYDICOM_ERRORS:
        return None  # the full decoder says what is wrong


def _decode(file: _OpenFile, index: int) -> tuple[npt.NDArray[Any], str]:
    """Decode one frame to (H, W) or (H, W, samples), and name its photometric interpretation."""
    try:
        decoder = get_decoder(file.syntax)
    except NotImplementedError:
        name = header.known_name(file.syntax)
        raise FilmError(
            "unsupported-transfer-syntax", f"There is no decoder for the transfer syntax: {name}."
        ) from None
    pixels = file.pixels
    if file.syntax.is_encapsulated != pixels.encapsulated:
        name = header.known_name(file.syntax)
        raise FilmError("bad-dicom", f"The pixels are not stored as the transfer syntax says ({name}).")
    options = header.decoding_options(file.dataset, pixels.keyword, pixels.vr)
    options[codecs.THREADS] = file.n_threads
    source: memoryview | bytes
    photometric = str(options["photometric_interpretation"])
    is_plain = photometric in _GREY and options["samples_per_pixel"] == 1 and not options["pixel_representation"]
    try:
        if pixels.encapsulated and is_plain and file.syntax not in codecs.VALUE_SYNTAXES:
            return codecs.decode_grey(_codestream(file, index), file.syntax, options), photometric
        if pixels.encapsulated:
            source = encapsulate([_codestream(file, index)], has_bot=False)
            options["number_of_frames"], index = 1, 0
        else:
            source = memoryview(file.data)[pixels.value_start : pixels.value_end]
            _check_length(source, index, options)
            options["number_of_frames"] = index + 1  # the frames behind it need not be there
        frame, properties = decoder.as_array(
            source, index=index, decoding_plugin=codecs.PLUGIN if pixels.encapsulated else "", **options
        )
    except header.PYDICOM_ERRORS as error:
        code = "truncated" if "truncated" in str(error) else "decode-failed"
        raise FilmError(code, _SAID[code]) from error  # the error's own text may quote the header
    return frame, str(properties["photometric_interpretation"])


def _codestream(file: _OpenFile, index: int) -> bytes:
    n_frames = max(1, header.count(file.dataset, "NumberOfFrames"))
    offsets = header.extended_offsets(file.dataset)
    return frame_bytes(file.data, file.pixels.value_start, index, n_frames, offsets)


def _check_length(source: memoryview, index: int, options: dict[str, Any]) -> None:
    """Hold the bytes that are there against those that uncompressed pixels need."""
    samples: float = options["samples_per_pixel"]
    if options["photometric_interpretation"] == "YBR_FULL_422":
        samples = 2  # both colour samples are shared by two pixels
    frame_bytes = options["rows"] * options["columns"] * samples * options["bits_allocated"] / 8
    needed, stated = frame_bytes * (index + 1), frame_bytes * options["number_of_frames"]
    if len(source) < needed:
        raise FilmError("truncated", "The file ends early: some of its pixels are missing.")
    if len(source) - stated > max(_SURPLUS_BYTES, stated * _SURPLUS_SHARE):
        raise FilmError("bad-dicom", "The file holds more bytes of pixels than its header asks for.")


def _stored_format(file: _OpenFile, dtype: np.dtype[Any]) -> StoredFormat | None:
    """Where the stored value sits in a decoded grey pixel; None for wide and floating-point pixels."""
    if dtype.kind == "f" or dtype.itemsize > 2:
        return None
    bits = 8 * dtype.itemsize
    if file.syntax in codecs.VALUE_SYNTAXES:  # the decoder has already made the container the value
        return StoredFormat(bits, bits - 1, dtype.kind == "i")
    return header.stored_format(file.dataset, bits)


def _render_colour(frame: npt.NDArray[Any], photometric: str, dataset: Dataset) -> tuple[FloatImage, float, list[str]]:
    """Luminance in [0, 1], mean chroma, and the steps; PS3.3 C.7.6.3.1.2, palettes C.7.9."""
    steps = ["luminance"]
    if photometric == "PALETTE COLOR":
        try:
            frame = apply_color_lut(frame, dataset)[..., :3]
        except header.PYDICOM_ERRORS as error:
            raise FilmError("bad-dicom", f"The colour palette is damaged ({type(error).__name__}).") from error
        steps = ["palette", "luminance"]
        stated = 8 * frame.itemsize
    elif photometric == "RGB":
        stated = header.count(dataset, "BitsStored") or 8 * frame.itemsize
    else:
        raise FilmError("decode-failed", "Pictures in this colour space cannot be shown.")
    bits = _colour_bits(frame, stated)
    if bits < stated:
        steps.insert(-1, f"{bits}-bit")
    white = 2.0**bits - 1
    return np.minimum(luminance(frame, white), 1.0), min(mean_chroma(frame, white), 1.0), steps


def _colour_bits(frame: npt.NDArray[Any], stated: int) -> int:
    """Bits per sample: those that the header states, unless it states the container's."""
    largest = int(frame.max())
    if frame.itemsize == 1 or largest >> DEPTHS[-1]:
        return max(1, stated, largest.bit_length())
    return depth_bits(frame, stated if stated < DEPTHS[-1] else 0)
