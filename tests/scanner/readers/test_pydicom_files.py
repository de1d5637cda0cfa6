"""Every file that pydicom bundles comes to an end that fits, and the table of ends is kept as a golden file.

After a wanted change, or with a pydicom that bundles other files:
``python -m tests.scanner.readers.test_pydicom_files``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_windowing

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.gate import judge
from cxrscan.scanner.model_bundle import TrainedOn
from cxrscan.scanner.readers import HEAD_BYTES, ReadOptions, read_film, sniff_kind

FOLDER = Path(pydicom.data.__file__).parent
GOLDEN = Path(__file__).parent / "golden" / "pydicom_outcomes.txt"


def bundled_files() -> list[Path]:
    return sorted(path for path in FOLDER.rglob("*") if path.is_file() and not path.name.endswith((".py", ".pyc")))


def outcome_of(path: Path) -> str:
    """One line on what becomes of a file."""
    data = path.read_bytes()
    if sniff_kind(data[:HEAD_BYTES]) != "dicom":
        return "not dicom"
    try:
        film = read_film(data, ReadOptions())[0]
    except CxrscanError as error:
        return f"{type(error).__name__} {error.code}"
    assert film.pixels.dtype == np.float32
    assert film.pixels.min() >= 0.0
    assert film.pixels.max() <= 1.0
    decision = judge(film, TrainedOn())
    return f"{decision.verdict} {','.join(decision.reasons)} {film.pixel_path} mean {film.pixels.mean():.2f}"


def outcome_table() -> str:
    return "".join(f"{path.relative_to(FOLDER).as_posix()}: {outcome_of(path)}\n" for path in bundled_files())


def test_every_bundled_file_comes_to_its_known_end() -> None:
    expected = dict(line.split(": ", 1) for line in GOLDEN.read_text(encoding="utf-8").splitlines())
    found = dict(line.split(": ", 1) for line in outcome_table().splitlines())
    both = expected.keys() & found.keys()  # other releases of pydicom bundle a few other files
    assert len(both) > 100
    assert {name: found[name] for name in both} == {name: expected[name] for name in both}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # the oracle's, about oddities of the files
def test_windowed_films_look_as_pydicom_renders_them() -> None:
    n_compared = 0
    for path in bundled_files():
        if ">window-linear" not in (outcome := outcome_of(path)) or "aspect" in outcome:
            continue
        film = read_film(path.read_bytes(), ReadOptions())[0]
        shown = film.pixels > 0 if "padding" in outcome else np.full(film.pixels.shape, True)  # padding is ours
        np.testing.assert_allclose(film.pixels[shown], _rendered(dcmread(path))[shown], atol=1e-6, err_msg=path.name)
        n_compared += 1
    assert n_compared > 25


def _rendered(dataset: Dataset) -> npt.NDArray[np.float64]:
    """Display values in [0, 1] from pydicom's own functions."""
    windowed = apply_windowing(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    black, white = _output_range(dataset)
    display = (windowed - black) / (white - black)
    return np.asarray(1.0 - display if dataset.PhotometricInterpretation == "MONOCHROME1" else display)


def _output_range(dataset: Dataset) -> tuple[float, float]:
    """Range that pydicom scales a window to: that of the stored bits after the rescale."""
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


if __name__ == "__main__":
    table = outcome_table()
    GOLDEN.write_text(table, encoding="utf-8")
    print(Counter(line.split(": ", 1)[1].split(" ")[0] for line in table.splitlines()))  # noqa: T201
