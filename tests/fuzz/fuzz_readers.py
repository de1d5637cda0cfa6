"""Feed damaged films to the readers, guided by the code that they reach: ``make fuzz``.

atheris (libFuzzer for Python) starts from small films of every format and mutates them. An input is a finding when
the reader lets another exception than CxrscanError through, returns a picture that is none, crashes, hangs, or takes
more memory than such a small film may. Findings are kept in .fuzz/ and can be given again as arguments.

    python -m tests.fuzz.fuzz_readers raster 600              ten minutes
    python -m tests.fuzz.fuzz_readers raster 0 .fuzz/crash-…  one input again
"""

from __future__ import annotations

import hashlib
import resource
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cxrscan.scanner", "pydicom", "PIL"]):  # before anything else imports them
    from cxrscan.scanner.errors import CxrscanError
    from cxrscan.scanner.readers import ReadOptions, dicom, jpeg, jpeg_successors, png, raster, read_film, tiff  # noqa: F401

import imagecodecs
import numpy as np
from pydicom import uid

from cxrscan.scanner.readers.codecs import SYNTAXES
from cxrscan.scanner.records import Radiograph
from tests.builders import dicom_film, encode, film_pixels

FOLDER = Path(".fuzz")
_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_MEGAPIXELS = 0.25
_MAX_BYTES = 16_384
_SECONDS_PER_INPUT = 120  # a busy machine may stand still for a while
_RSS_MIB = 1_500  # the interpreter with all decoders takes 250


def fuzz_raster(data: bytes) -> None:
    """One input for the raster reader; atheris records what it raises."""
    if data.startswith(_PNG):
        data = with_right_checksums(data)
    try:
        films = read_film(data, ReadOptions(_MAX_MEGAPIXELS, min_side_px=16, min_jpeg_2000_px=16))
    except CxrscanError:
        return
    _check(films)


def with_right_checksums(png: bytes) -> bytes:
    """The chunks of a PNG with the CRCs that they should have: else hardly a mutation would get past them."""
    out, start = bytearray(png), len(_PNG)
    while start + 12 <= len(png):
        length = int.from_bytes(png[start : start + 4], "big")
        end = min(start + 8 + length, len(png) - 4)
        out[end : end + 4] = zlib.crc32(png[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(out)


def fuzz_dicom(data: bytes) -> None:
    """One input for the DICOM reader."""
    try:
        films = read_film(data, ReadOptions(_MAX_MEGAPIXELS, frames="all", ids="plain"))
    except CxrscanError:
        return
    _check(films)


def _check(films: list[Radiograph]) -> None:
    for film in films:
        assert film.pixels.dtype == np.float32
        assert film.pixels.ndim == 2
        assert film.pixels.size
        assert film.width_px * film.height_px <= _MAX_MEGAPIXELS * 1e6
        assert film.pixels.min() >= 0.0  # fails for NaN too
        assert film.pixels.max() <= 1.0
        said = film.attributes
        assert (said.modality + said.view_position + said.manufacturer + "".join(v for _, v in said.ids)).isprintable()


def raster_seeds() -> Iterator[bytes]:
    """Small films of every raster format, depth and colour type."""
    grey = film_pixels(height=20, width=24)
    colour, deep = np.stack([grey] * 3, axis=2), grey.astype(np.uint16) * 257
    for picture in (grey, colour):
        for image_format in ("JPEG", "PNG", "TIFF", "BMP"):
            yield encode(picture, image_format)
        yield encode(picture, "JPEG", progressive=True)
        for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
            yield encode(picture, "TIFF", compression=compression)
    yield encode(np.dstack([colour, grey]), "PNG")
    for image_format in ("PNG", "TIFF"):
        yield encode(deep, image_format)
    yield encode(grey.astype(np.float32), "TIFF")
    yield encode(grey > 99, "TIFF", compression="group4")
    for samples in (grey.astype(np.float16), deep.astype(np.int16), np.dstack([deep, deep]), np.dstack([deep] * 3)):
        yield bytes(imagecodecs.tiff_encode(samples))
    for picture in (np.dstack([deep, deep]), np.dstack([deep] * 3)):
        yield bytes(imagecodecs.png_encode(picture))
    yield bytes(imagecodecs.jpeg8_encode(deep >> 4, level=95, bitspersample=12))
    yield bytes(imagecodecs.jpeg8_encode(deep, lossless=True))
    yield bytes(imagecodecs.jpegls_encode(deep))
    yield bytes(imagecodecs.jpeg2k_encode(deep, level=0, reversible=True))
    yield bytes(imagecodecs.jpegxl_encode(deep, lossless=True))
    for image_format in ("WEBP", "AVIF"):
        yield encode(colour, image_format)


def dicom_seeds() -> Iterator[bytes]:
    """Small films of every transfer syntax, and one with everything that a header may say of its display."""
    grey = film_pixels(height=20, width=24)
    deep = grey.astype(np.uint16) * 16
    native = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
    for syntax in (*native, uid.DeflatedExplicitVRLittleEndian, *SYNTAXES):
        if syntax != uid.JPEGExtended12Bit:
            yield dicom_film(grey, syntax=syntax)
        if syntax != uid.JPEGBaseline8Bit:
            yield dicom_film(deep, syntax=syntax, bits_stored=12)
    yield dicom_film(np.stack([grey] * 3, axis=2))
    yield dicom_film(np.stack([grey] * 2))
    display = {"WindowCenter": [2048, 1000], "WindowWidth": [4096, 1500], "RescaleSlope": 1, "RescaleIntercept": -9}
    edges = {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 2, "ShutterRightVerticalEdge": 20}
    yield dicom_film(deep, bits_stored=12, PixelAspectRatio=[2, 1], PatientAge="034Y", **display, **edges)


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterator[bytes]]]] = {
    "raster": (fuzz_raster, raster_seeds),
    "dicom": (fuzz_dicom, dicom_seeds),
}


def main(name: str, seconds: str, *again: str) -> None:
    """Fuzz one reader for a time, or give it inputs again."""
    target, seeds = TARGETS[name]
    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limits = [f"-max_total_time={seconds}", f"-timeout={_SECONDS_PER_INPUT}", f"-rss_limit_mb={_RSS_MIB}"]
    options = [*limits, f"-max_len={_MAX_BYTES}", f"-artifact_prefix={FOLDER}/{name}-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *(again or [str(corpus)])], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
