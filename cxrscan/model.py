"""A model for single films: arrays, files and DICOM data sets in, a ``Film`` out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from cxrscan.film import Film
from cxrscan.scanner.errors import FilmError
from cxrscan.scanner.executors.processes import Limits
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, ModelSpec
from cxrscan.scanner.records import ImageSource, Radiograph, ScanResult
from cxrscan.scanner.settings import GateMode, ScanSettings
from cxrscan.scanner.system.cores import available_cores
from cxrscan.scanner.trial import open_bundle
from cxrscan.scanner.viewer.decoding import film_source, read_full_size, scan

if TYPE_CHECKING:
    from pydicom import Dataset


def load_model(bundle: str | os.PathLike[str] | None = None, *, gate: GateMode = "strict") -> Model:
    """Open a model bundle; one from elsewhere is tried first in a process with limits.

    Parameters
    ----------
    bundle
        Folder of the bundle, or a name of `cxrscan model list`; None for the one that comes with cxrscan.
    gate
        What becomes of pictures that are no frontal chest film: ``strict`` gives no probability, ``warn`` gives one
        with a caveat, ``off`` judges none.

    Raises
    ------
    BundleError
        ``bundle-missing``, ``bundle-invalid`` or ``bundle-hash``.
    """
    from cxrscan.scanner.bundles.shelf import bundle_folder  # what fetches bundles costs every import a little

    tried = open_bundle(DEFAULT_BUNDLE if bundle is None else bundle_folder(bundle))
    settings = ScanSettings(gate=gate, n_threads=available_cores(), thumbnail_px=0)
    return Model(tried.spec, tried.hold(settings))


@dataclass(frozen=True, slots=True)
class Model:
    """A model bundle that scores single films; ``cxrscan.scan`` is the way for folders."""

    spec: ModelSpec
    """What the bundle says of itself: name, version, thresholds, for whom it holds."""
    _settings: ScanSettings

    def predict(
        self, film: npt.NDArray[Any] | str | os.PathLike[str] | Dataset, *, threshold: str | float | None = None
    ) -> Film:
        """Score one film, as ``cxrscan run`` does; it is decoded in a process with limits.

        Parameters
        ----------
        film
            The name of a file, a DICOM data set with its file meta information, or an array with bone bright: grey of
            shape (H, W), or red, green and blue of shape (H, W, 3). Arrays hold uint8, uint16 or floats in [0, 1].
        threshold
            Name of an operating point, or a probability in [0, 1]; None for the model's own.

        Raises
        ------
        FilmError
            The film cannot be read; ``input-unfit``: it is none of these things.
        BundleError
            ``unknown-operating-point``.
        """
        source = _source(film)
        _, value = self.spec.threshold(None if threshold is None else str(threshold))
        (result,) = scan([source], self._settings)
        if not isinstance(result, ScanResult):  # listed films have a row whatever they are
            raise FilmError(result.code, result.reason)
        if result.failure is not None:
            raise FilmError(result.failure.code, result.failure.message)
        return Film(result, self.spec, value, _read=partial(self._picture, source))

    def _picture(self, source: ImageSource) -> Radiograph:
        return read_full_size(source.data or Path(str(source.path)), self._settings, Limits())


def _source(film: npt.NDArray[Any] | str | os.PathLike[str] | Dataset) -> ImageSource:
    if isinstance(film, np.ndarray):
        return film_source("array", _encoded(film))
    if isinstance(film, str | os.PathLike):
        path = Path(film)
        return ImageSource(path, path.name, None, is_listed=True)
    if hasattr(film, "file_meta"):
        return film_source("data set", _written(film))
    raise FilmError("input-unfit", f"{type(film).__name__} is no array, file name or DICOM data set.")


def _encoded(pixels: npt.NDArray[Any]) -> bytes:
    """An array as a PNG file, so that it is read as all films are."""
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        raise FilmError("input-unfit", f"The array has the shape {pixels.shape}.")
    if pixels.dtype.kind == "f":
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise FilmError("input-unfit", "The array holds floats outside of [0, 1].")
        pixels = np.rint(pixels * 65535).astype(np.uint16)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise FilmError("input-unfit", f"The array holds {pixels.dtype}.")
    stored = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    return cv2.imencode(".png", np.ascontiguousarray(stored), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _written(data_set: Dataset) -> bytes:
    """A data set as a DICOM file."""
    file = BytesIO()
    try:
        data_set.save_as(file, enforce_file_format=True)
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise FilmError("input-unfit", f"The data set cannot be written as a file: {error}") from error
    return file.getvalue()
