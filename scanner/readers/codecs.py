"""Decode compressed DICOM pixel data with imagecodecs, as a plugin of pydicom's decoders.

One wheel (BSD, 45 MB) decodes every syntax, 12-bit JPEG Extended included. GDCM (BSD) and Pillow as wheels do
not decode that one, and the alternative, pylibjpeg with its three plugins, needs pylibjpeg-libjpeg, which is GPL.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import uid
from pydicom.pixels.common import PhotometricInterpretation as Photometric
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

PLUGIN = "imagecodecs"
THREADS = "cxrscan_threads"
"""Option of pydicom's decoders that only this plugin knows: threads for one JPEG 2000 picture."""
DECODER_DEPENDENCIES: dict[uid.UID, tuple[str, ...]] = {}  # pydicom asks for it; ours are always installed

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
VALUE_SYNTAXES = frozenset(_JPEG_2000)
"""Their codestreams know depth and sign, so that a decoded container holds the stored value itself."""
SYNTAXES = (*_JPEG, *_JPEG_LS, *_JPEG_2000, uid.RLELossless)

_END_MARKER = b"\xff\xd9"  # end of image in JPEG and JPEG-LS, end of codestream in JPEG 2000
_DATA_MARKERS = (b"\xff\xda", b"\xff\x93")  # start of scan in JPEG and JPEG-LS, of data in JPEG 2000
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = b"\xff\x52"
_Kernel = npt.NDArray[np.float64]
#: Low-pass synthesis of the 5/3 and the 9/7 transform: T.800 F.3.8 and table F.4, as weights of neighbours.
_SYNTHESIS = {
    True: (np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.5, 0.5, 0.0])),
    False: (
        np.array([-0.057543526229, 1.115087052457, -0.057543526229, 0.0]),
        np.array([-0.091271763114, 0.591271763114, 0.591271763114, -0.091271763114]),
    ),
}
_PILLOW_MAX_PIXELS = 178_000_000  # Pillow takes larger pictures for an attack
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF of JPEG (T.81 B.1.1.3) and JPEG-LS


def register() -> None:
    """Make the plugin known to pydicom."""
    for syntax in SYNTAXES:
        get_decoder(syntax).add_plugin(PLUGIN, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Whether the plugin decodes a transfer syntax; pydicom asks when a plugin is added."""
    return syntax in SYNTAXES


def decode_frame(source: bytes, runner: DecodeRunner) -> memoryview:
    """Decode one frame without any colour transform, except that JPEG 2000 undoes its own.

    Parameters
    ----------
    source
        The codestream of the frame.
    runner
        pydicom's options for the picture; told what the decoded frame looks like.

    Returns
    -------
    memoryview of the samples, colour by pixel (RLE: by plane), in the smallest container for their precision.

    Raises
    ------
    ValueError
        The codestream is truncated, or its shape differs from the header's.
    """
    if runner.transfer_syntax == uid.RLELossless:
        return _decode_rle(source, runner)
    if not is_whole(source):  # the decoders fill what is missing with grey
        raise ValueError("the codestream is truncated")
    shape, claimed = (runner.rows, runner.columns, runner.samples_per_pixel), codestream_shape(source)
    if claimed != shape:  # checked before memory is taken for it
        raise ValueError(f"the codestream holds (rows, columns, samples) {claimed}, the header says {shape}")
    frame = np.ascontiguousarray(_DECODERS[runner.transfer_syntax](source, runner))
    runner.set_option("bits_allocated", 8 * frame.itemsize)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    return frame.data


def decode_grey(source: bytes, syntax: uid.UID, options: dict[str, Any]) -> npt.NDArray[Any]:
    """Decode a frame of unsigned grey values, shape (rows, columns), as pydicom would, without its copies.

    Parameters
    ----------
    options
        pydicom's, see ``dicom_header.decoding_options``.

    Raises
    ------
    ValueError
        The options contradict themselves, or as ``decode_frame``.
    """
    source += b"\0" * (len(source) % 2)  # fragments have an even length: PS3.5 section A.4
    runner = DecodeRunner(syntax)
    runner.set_source(source)
    runner.set_options(**options)
    runner.validate()
    container = runner.pixel_dtype
    values = np.frombuffer(decode_frame(source, runner), runner.pixel_dtype)  # may be smaller than the container
    return values.astype(container, copy=False).reshape(runner.rows, runner.columns)


def is_whole(source: bytes) -> bool:
    """Whether a codestream has its end marker behind its data; padding of any length may follow.

    No marker occurs within coded data (T.81 B.1.1.5, T.87 A.1, T.800 B.10.1); a preview in the metadata in front of it
    has markers of its own.
    """
    end = source.rfind(_END_MARKER)
    return end >= 0 and all(source.find(marker, end) < 0 for marker in _DATA_MARKERS)


def codestream_shape(source: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and samples that a JPEG, JPEG-LS or JPEG 2000 codestream claims; None when it does not say."""
    start = source.find(_START_OF_CODESTREAM, 0, 4096)  # JP2 boxes may stand before it
    try:
        if start >= 0:  # SIZ: ISO/IEC 15444-1 A.5.1
            right, bottom, left, top = struct.unpack_from(">4I", source, start + 8)
            (samples,) = struct.unpack_from(">H", source, start + 40)
            return bottom - top, right - left, samples
        offset = 2
        while source[offset] == 0xFF:
            marker, length = source[offset + 1], int.from_bytes(source[offset + 2 : offset + 4], "big")
            if marker in _FRAME_MARKERS:
                rows, columns, samples = struct.unpack_from(">2HB", source, offset + 5)
                return rows, columns, samples
            offset += 1 if marker == 0xFF else 2 + length  # markers may be preceded by fill bytes
    except (struct.error, IndexError):
        pass
    return None


def decode_without_detail(
    source: bytes, rows: int, columns: int, min_side_px: int
) -> tuple[npt.NDArray[Any], int] | None:
    """Decode a grey JPEG 2000 frame from the lowest of its resolutions that has enough pixels, at its full size.

    The lower resolutions of a wavelet transform (ISO/IEC 15444-1 annex F) are small pictures of the film in the same
    values; the many code blocks of the detail that the network does not see are left alone and count as zero. Pillow
    reads the small pictures, because imagecodecs has no such option.

    Parameters
    ----------
    rows, columns
        What the header says.
    min_side_px
        Length that the shorter side of the small picture must keep.

    Returns
    -------
    uint8 or uint16 array of stored values, shape (rows, columns), and how many of its pixels lie along one of the small
    picture's. None when the frame is to be decoded in full: it has no such resolution, is signed or coloured, or is to
    be refused.
    """
    claims = _ReducibleStream.of(source) if rows * columns <= _PILLOW_MAX_PIXELS else None
    if claims is None or not is_whole(source) or codestream_shape(source) != (rows, columns, 1):
        return None
    most = min((min(rows, columns) // min_side_px).bit_length() - 1, claims.n_levels)
    halvings = next((n for n in range(most, 0, -1) if _pillow_halves(rows, n) and _pillow_halves(columns, n)), 0)
    if halvings == 0:
        return None
    with Image.open(io.BytesIO(source), formats=["JPEG2000"]) as image:
        image.reduce = halvings  # type: ignore[method-assign, assignment]  # Pillow's way to say it
        picture = np.asarray(image)
    if picture.itemsize == 2:  # Pillow widens more than 8 bits to 16
        picture = picture >> (16 - claims.precision)
    for level in range(halvings - 1, -1, -1):
        picture = _doubled(picture, -(-rows >> level), -(-columns >> level), _SYNTHESIS[claims.is_reversible])
    return picture, 1 << halvings


def _doubled(small: npt.NDArray[Any], rows: int, columns: int, kernels: tuple[_Kernel, _Kernel]) -> npt.NDArray[Any]:
    """Undo one level of a wavelet transform whose detail is zero: T.800 F.3.

    Parameters
    ----------
    small
        shape (h, w), half of ``rows`` and ``columns``, rounded up.
    kernels
        Weights of the samples k - 1 to k + 2 in the samples 2k and 2k + 1.
    """
    large = np.empty((rows, columns), dtype=small.dtype)
    for down, across in product((0, 1), repeat=2):
        part = cv2.sepFilter2D(small, -1, kernels[across], kernels[down], anchor=(1, 1), borderType=cv2.BORDER_REFLECT)
        large[down::2, across::2] = part[: rows - down + 1 >> 1, : columns - across + 1 >> 1]
    return large


def _pillow_halves(side: int, n_times: int) -> bool:
    """Whether Pillow, which rounds, expects as many pixels as there are: codestreams round up (T.800 B.5)."""
    parts = 1 << n_times
    return (side + parts // 2) // parts == math.ceil(side / parts)


@dataclass(frozen=True, slots=True)
class _ReducibleStream:
    """What a codestream's main header says, as far as it can be decoded at a reduced resolution."""

    precision: int
    """Bits per value, 8 to 16."""
    n_levels: int
    """How often the resolution can be halved."""
    is_reversible: bool
    """Whether the wavelet is 5/3; 9/7 else."""

    @classmethod
    def of(cls, source: bytes) -> _ReducibleStream | None:
        """Read SIZ and COD (ISO/IEC 15444-1 A.5.1 and A.6.1); None for signed, thin, shifted or damaged streams."""
        start = source.find(_START_OF_CODESTREAM, 0, 4096)
        try:
            (size_length,) = struct.unpack_from(">H", source, start + 4)
            depth = source[start + 42]  # the highest bit is the sign
            coding = source.index(_CODING_STYLE, start + 4 + size_length)
            n_levels, wavelet = source[coding + 9], source[coding + 13]
            left, top = struct.unpack_from(">2I", source, start + 16)
        except (struct.error, IndexError, ValueError):
            return None
        is_usual = start >= 0 and 7 <= depth < 16 and wavelet in (0, 1) and left == top == 0
        return cls(depth + 1, n_levels, wavelet == 1) if is_usual else None


def _decode_rle(source: bytes, runner: DecodeRunner) -> memoryview:
    """PackBits segments, one per byte of each sample, most significant first: PS3.5 annex G.

    Cut apart here, because imagecodecs' ``dicomrle_decode`` trusts the offsets and crashes on damaged ones.
    """
    n_samples, n_bytes, n_pixels = runner.samples_per_pixel, runner.bits_allocated // 8, runner.rows * runner.columns
    n_segments, *starts = struct.unpack_from("<16I", source)
    if n_segments != n_samples * n_bytes or n_segments > len(starts):
        raise ValueError(f"the frame holds {n_segments} RLE segments, the header asks for {n_samples * n_bytes}")
    ends = [*starts[1:n_segments], len(source)]
    planes = [_unpacked(source[start:end], n_pixels) for start, end in zip(starts[:n_segments], ends, strict=True)]
    samples = [
        planes[i] if n_bytes == 1 else cv2.merge(planes[i : i + n_bytes][::-1]) for i in range(0, n_segments, n_bytes)
    ]
    frame = np.ascontiguousarray(samples[0] if n_samples == 1 else np.stack(samples))
    if n_samples > 1:
        runner.set_option("planar_configuration", 1)
    return frame.data


def _unpacked(segment: bytes, n_pixels: int) -> npt.NDArray[np.uint8]:
    plane = imagecodecs.packbits_decode(segment)
    if len(plane) < n_pixels:
        raise ValueError("the RLE segments are truncated")
    return np.frombuffer(plane, np.uint8, n_pixels)


def _decode_jpeg(source: bytes, runner: DecodeRunner) -> Any:
    space = "GRAYSCALE" if runner.samples_per_pixel == 1 else "YCBCR"
    return imagecodecs.jpeg8_decode(source, colorspace=space, outcolorspace=space)


def _decode_jpeg_ls(source: bytes, runner: DecodeRunner) -> Any:
    return imagecodecs.jpegls_decode(source)


def _decode_jpeg_2000(source: bytes, runner: DecodeRunner) -> Any:
    if runner.photometric_interpretation in (Photometric.YBR_ICT, Photometric.YBR_RCT):
        runner.set_option("photometric_interpretation", Photometric.RGB)
    return imagecodecs.jpeg2k_decode(source, numthreads=runner.get_option(THREADS, 1))


_DECODERS: dict[uid.UID, Callable[[bytes, DecodeRunner], Any]] = {
    **dict.fromkeys(_JPEG, _decode_jpeg),
    **dict.fromkeys(_JPEG_LS, _decode_jpeg_ls),
    **dict.fromkeys(_JPEG_2000, _decode_jpeg_2000),
}
