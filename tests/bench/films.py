"""Folders of films for benchmarks: links to real films, DICOM copies of them, and tiny ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
from pydicom import uid

from tests.builders import dicom_film, film_pixels

JPEG_SUFFIXES = {".jpg", ".jpeg"}
SYNTAXES = {
    "uncompressed": uid.ExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "Deflated": uid.DeflatedExplicitVRLittleEndian,
    "JPEG Baseline": uid.JPEGBaseline8Bit,
    "JPEG Lossless": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
    "HTJ2K": uid.HTJ2KLosslessRPCL,
}
"""Transfer syntaxes that films come in, by what they are called."""


def find_jpegs(folder: Path) -> list[Path]:
    """JPEG files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in JPEG_SUFFIXES)


def link_films(films: Sequence[Path], n: int, out: Path) -> Path:
    """Make a folder of ``n`` films: copies of each, and hard links to them; 1,000 to a sub-folder."""
    copies: dict[Path, Path] = {}
    for i, film in enumerate(islice(cycle(films), n)):
        path = out / f"{i // 1000:04}" / f"{i:06}-{film.name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if film in copies:
            os.link(copies[film], path)
        else:
            copies[film] = Path(shutil.copyfile(film, path))
    return out


def write_dicom_copies(films: Sequence[Path], syntax: str, out: Path) -> Path:
    """Write films as DICOM objects of 12 bits, of 8 where a syntax has no more."""
    out.mkdir(parents=True)
    for i, film in enumerate(films):
        grey = cv2.imread(str(film), cv2.IMREAD_GRAYSCALE)
        if syntax == uid.JPEGBaseline8Bit:
            header: dict[str, object] = {"WindowCenter": 128, "WindowWidth": 256, "PatientAge": "004Y"}
            (out / f"{i:04}.dcm").write_bytes(dicom_film(grey, syntax=syntax, **header))
            continue
        deep = grey.astype(np.uint16) * 16
        deep += np.random.default_rng(i).integers(0, 16, grey.shape, dtype=np.uint16)  # detector noise in the new bits
        (out / f"{i:04}.dcm").write_bytes(
            dicom_film(deep, syntax=syntax, bits_stored=12, WindowCenter=2048, WindowWidth=4096, PatientAge="004Y")
        )
    return out


def write_tiny_films(n: int, out: Path, *, n_different: int = 100, side_px: int = 160) -> Path:
    """Write small JPEG films, all but ``n_different`` of them hard links; 1,000 to a sub-folder."""
    for i in range(n):
        path = out / f"{i // 1000:04}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i < n_different:
            cv2.imwrite(str(path), film_pixels(i, height=side_px, width=side_px), [cv2.IMWRITE_JPEG_QUALITY, 90])
        else:
            original = i % n_different
            os.link(out / f"{original // 1000:04}" / f"{original:06}.jpg", path)
    return out
