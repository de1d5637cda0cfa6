"""Tiny films drawn in code, and the files that hold them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, dcmwrite, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import FilmModel, draw_film

Uint8Image = npt.NDArray[np.uint8]


def film_pixels(seed: int = 0, *, height: int = 96, width: int = 112) -> Uint8Image:
    """A synthetic chest film, drawn as for ``cxrscan demo``, so that the gate lets it pass; odd seeds: pneumonia."""
    film = cv2.resize(_synthetic_film(seed), (width, height), interpolation=cv2.INTER_AREA)
    return (film * 255).astype(np.uint8)


@lru_cache(maxsize=64)
def _synthetic_film(seed: int) -> FloatImage:
    return draw_film(_film_model(), seed % 2, np.random.default_rng(seed), 480)


@cache
def _film_model() -> FilmModel:
    return FilmModel.load()


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


#: What a film's header says that nothing of ours may ever repeat.
PLANTED_NAME = "QUIRRELL^PLANTED^MIDDLE"
PLANTED_IDS = {
    "PatientID": "PLANTED-4711",
    "StudyInstanceUID": "1.2.826.0.1.4711.1",
    "SOPInstanceUID": "1.2.826.0.1.4711.2",
}


def dicom_film(
    pixels: npt.NDArray[np.generic],
    *,
    syntax: str = uid.ExplicitVRLittleEndian,
    bits_stored: int | None = None,
    codestreams: list[bytes] | None = None,
    without: Sequence[str] = (),
    **attributes: object,
) -> bytes:
    """File bytes of a DX object, its identifying attributes filled with planted values.

    Parameters
    ----------
    pixels
        shape (H, W), (frames, H, W) or (H, W, 3), as stored. 8 or 16 bits.
    syntax
        Transfer syntax; compressed ones are encoded here.
    codestreams
        Frames to take instead of encoding ``pixels``.
    without
        Keywords of attributes to leave out.
    attributes
        Keywords and values to add or replace.
    """
    bits = 8 * pixels.itemsize
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    dataset = Dataset()
    dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    for keyword, value in {**PLANTED_IDS, "PatientName": PLANTED_NAME, "ReferringPhysicianName": PLANTED_NAME}.items():
        setattr(dataset, keyword, value)
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.Rows, dataset.Columns = pixels.shape[:2] if is_colour else pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if is_colour else (1, "MONOCHROME2")
    dataset.BitsAllocated, dataset.BitsStored = bits, bits_stored or bits
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if is_colour:
        dataset.PlanarConfiguration = 0
    if pixels.ndim == 3 and not is_colour:
        dataset.NumberOfFrames = len(pixels)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    is_encapsulated = uid.UID(syntax).is_encapsulated
    if codestreams is not None or is_encapsulated:
        frames = pixels if "NumberOfFrames" in dataset and pixels.ndim == 3 else pixels[np.newaxis]
        encoded = codestreams or [encode_frame(frame, syntax, dataset.BitsStored) for frame in frames]
        dataset.PixelData = encapsulate(encoded)
        dataset["PixelData"].VR = "OB"
    else:
        stored = pixels if syntax != uid.ExplicitVRBigEndian else pixels.astype(pixels.dtype.newbyteorder(">"))
        dataset.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
        dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword in without:
        del dataset[keyword]
    return dicom_file(dataset, syntax)


def dicom_file(dataset: Dataset, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """File bytes of any data set, with preamble and meta header."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.3")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3.4")
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def encode_frame(frame: npt.NDArray[np.generic], syntax: str, bits_stored: int) -> bytes:
    """Codestream of one frame in a compressed transfer syntax; lossless where the syntax allows it."""
    match syntax:
        case uid.RLELossless:
            return bytes(
                RLELosslessEncoder.encode(
                    frame.tobytes(),
                    rows=frame.shape[0],
                    columns=frame.shape[1],
                    samples_per_pixel=frame.shape[2] if frame.ndim == 3 else 1,
                    planar_configuration=0,
                    photometric_interpretation="RGB" if frame.ndim == 3 else "MONOCHROME2",
                    pixel_representation=int(frame.dtype.kind == "i"),
                    bits_allocated=8 * frame.itemsize,
                    bits_stored=8 * frame.itemsize,
                    number_of_frames=1,
                )
            )
        case uid.JPEGBaseline8Bit:
            return bytes(imagecodecs.jpeg8_encode(frame, 95, subsampling="444"))
        case uid.JPEGExtended12Bit:
            return bytes(imagecodecs.jpeg8_encode(frame, 97, bitspersample=12))
        case uid.JPEGLossless | uid.JPEGLosslessSV1:
            predictor = 1 if syntax == uid.JPEGLosslessSV1 else 6
            depth = {"bitspersample": bits_stored} if frame.itemsize == 2 else {}
            unsigned = _masked(frame, bits_stored)
            space = "GRAYSCALE" if frame.ndim == 2 else "RGB"
            return bytes(
                imagecodecs.jpeg8_encode(
                    unsigned, lossless=True, predictor=predictor, colorspace=space, outcolorspace=space, **depth
                )
            )
        case uid.JPEGLSLossless | uid.JPEGLSNearLossless:
            near = 0 if syntax == uid.JPEGLSLossless else 2
            return bytes(imagecodecs.jpegls_encode(_masked(frame, bits_stored), near))
        case uid.JPEG2000Lossless | uid.JPEG2000:
            is_lossless = syntax == uid.JPEG2000Lossless
            level = 0 if is_lossless else 60  # peak signal-to-noise ratio in dB
            return bytes(
                imagecodecs.jpeg2k_encode(
                    frame, level, reversible=is_lossless, codecformat="j2k", bitspersample=bits_stored
                )
            )
        case uid.HTJ2KLossless | uid.HTJ2KLosslessRPCL:
            return bytes(imagecodecs.htj2k_encode(frame, reversible=True))
        case uid.HTJ2K:
            return bytes(imagecodecs.htj2k_encode(frame, 1e-5, reversible=False))
    raise ValueError(f"no encoder for {syntax}")


def _masked(frame: npt.NDArray[np.generic], bits_stored: int) -> npt.NDArray[np.generic]:
    """Two's complement patterns in the stored bits, as the JPEG family keeps signed values."""
    unsigned = frame.view(f"u{frame.itemsize}")
    return np.ascontiguousarray(unsigned & unsigned.dtype.type((1 << bits_stored) - 1))
