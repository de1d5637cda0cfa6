"""Which of its libraries a command may import: each costs every start of cxrscan time."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from tests.builders import dicom_film, film_pixels, write_film

RUN = {"click", "numpy", "cv2", "PIL", "ai_edge_litert", "tqdm", "jinja2", "jsonschema"}


def libraries() -> set[str]:
    """Import names of everything that the project depends on, extras included, as far as it is installed."""
    wanted = {re.split(r"[\[<>=; ]", line)[0].lower() for line in requires("cxrscan") or ()} - {"cxrscan"}
    return {
        module
        for module, distributions in packages_distributions().items()
        if any(distribution.lower() in wanted for distribution in distributions)
    } | {"keras"}  # comes with TensorFlow


def imported_by(*arguments: str) -> set[str]:
    """The libraries that a command imports."""
    code = (
        "import sys\n"
        "from scanner.cli.main import cxrscan\n"
        f"cxrscan.main({list(arguments)!r}, standalone_mode=False)\n"
        "sys.stderr.write('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split()) & libraries()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["view", "--help"], ["train", "--help"]])
def test_help_imports_click_alone(arguments: list[str]) -> None:
    assert imported_by(*arguments) == {"click"}


def test_scanning_one_film_imports_what_it_needs_and_no_more(tmp_path: Path) -> None:
    assert {"tensorflow", "matplotlib", "pandas", "pydicom"} <= libraries()
    write_film(tmp_path / "film.jpg")
    assert imported_by("run", str(tmp_path / "film.jpg"), "-o", str(tmp_path / "out"), "-q") == RUN


def test_a_dicom_film_adds_its_decoders_alone(tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(dicom_film(film_pixels()))
    imported = imported_by("run", str(tmp_path / "film.dcm"), "-o", str(tmp_path / "out"), "-q")
    assert imported == RUN | {"pydicom", "imagecodecs"}
