"""Arrays of float16 inside JSON: what a bundle knows of its training films."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrscan.scanner.errors import BundleError

FloatArray = npt.NDArray[np.float32]


def pack(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Make the JSON-ready form: shape, and base64 of little-endian float16.

    Raises
    ------
    BundleError
        ``bundle-invalid``: float16 does not hold one of the numbers.
    """
    if not (np.abs(array) <= np.finfo(np.float16).max).all():  # NaN too
        raise BundleError("bundle-invalid", "The bundle's statistics hold a number that float16 does not.")
    return {"shape": list(array.shape), "float16": base64.b64encode(array.astype("<f2").tobytes()).decode("ascii")}


def unpack(name: str, packed: Mapping[str, Any]) -> FloatArray:
    """Read what ``pack`` made.

    Raises
    ------
    BundleError
        ``bundle-invalid``, with the name: it holds no array of its shape.
    """
    try:
        values = np.frombuffer(base64.b64decode(packed["float16"], validate=True), dtype="<f2")
        return np.asarray(values.reshape(packed["shape"]), dtype=np.float32)
    except ValueError as error:
        raise BundleError("bundle-invalid", f"The bundle's {name} is no array of the shape that it names.") from error
