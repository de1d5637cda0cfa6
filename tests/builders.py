"""Tiny films drawn in code, and the files that hold them."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Uint8Image = npt.NDArray[np.uint8]


def film_pixels(seed: int = 0, *, height: int = 96, width: int = 112) -> Uint8Image:
    """A picture with the gross layout of a frontal chest film: two dark lungs, a bright spine, faint ribs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, -1 : 1 : width * 1j]
    body = 150.0 - 40 * np.abs(x)
    lungs = np.exp(-(((np.abs(x) - 0.45) / 0.28) ** 4) - ((y - 0.45) / 0.36) ** 4)
    ribs = 8 * np.sin(y * 60 + np.abs(x) * 6) * lungs
    spine = 30 * np.exp(-((x / 0.12) ** 2))
    opacity = rng.uniform(0, 60) * np.exp(-(((x - 0.45) / 0.2) ** 2) - ((y - 0.65) / 0.15) ** 2)
    noise = cv2.GaussianBlur(rng.normal(0, 10, (height, width)), (0, 0), 1)
    return np.clip(body - 95 * lungs + ribs + spine + opacity + noise, 0, 255).astype(np.uint8)


def encode(pixels: npt.NDArray[np.generic], image_format: str, **options: object) -> bytes:
    """File bytes of a picture in a Pillow format (``JPEG``, ``PNG``, ``TIFF``, ``BMP``)."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, image_format, **options)
    return out.getvalue()


def write_film(path: Path, seed: int = 0, **size: int) -> Path:
    """Write a drawn film in the format that the file's ending names; makes the folders."""
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(film_pixels(seed, **size), formats[path.suffix.lower()]))
    return path
