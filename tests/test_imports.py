"""Which of its libraries a command may import: each costs every start of cxrscan time."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points, packages_distributions, requires
from pathlib import Path

import pytest

from tests.builders import dicom_film, film_pixels, write_film

SCAN = {"numpy", "cv2", "PIL", "ai_edge_litert", "threadpoolctl"}


def libraries() -> set[str]:
    """Import names of everything that the project depends on, extras included, as far as it is installed."""
    wanted = {re.split(r"[\[<>=; ]", line)[0].lower() for line in requires("cxrscan") or ()}
    wanted -= {"cxrscan", "setuptools"}  # the latter puts a part of itself into every start of Python
    return {
        module
        for module, distributions in packages_distributions().items()
        if any(distribution.lower() in wanted for distribution in distributions)
    } | {"keras"}  # comes with TensorFlow


def imported_by(code: str) -> set[str]:
    """The libraries that some code imports."""
    code += "\nimport sys; sys.stderr.write('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split()) & libraries()


def command(*arguments: str) -> str:
    """Code that runs a command in its own process."""
    return f"from cxrscan.scanner.cli.main import cxrscan\ncxrscan.main({list(arguments)!r}, standalone_mode=False)"


def scan(folder: Path) -> str:
    """Code that scans a folder as a worker does whose parent has checked the bundle."""
    return (
        "from pathlib import Path\nfrom cxrscan.scanner.sources.walk import find_images\n"
        "from cxrscan.scanner.worker import scan_chunk\nfrom cxrscan.scanner.settings import ScanSettings\n"
        f"films = list(find_images([Path({str(folder)!r})]))\n"
        f"assert scan_chunk(films, ScanSettings(model_is_checked=True))[0].status == 'scored'"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["view", "--help"], ["train", "--help"]])
def test_help_imports_click_alone(arguments: list[str]) -> None:
    assert imported_by(command(*arguments)) == {"click"}


def test_the_python_package_is_imported_without_any_library() -> None:
    assert imported_by("import cxrscan; assert 'scan' in dir(cxrscan)") == set()


def test_the_installed_script_costs_workers_nothing() -> None:
    (script,) = entry_points(group="console_scripts", name="cxrscan")
    assert imported_by(f"from {script.module} import {script.attr}") == set()


def test_a_run_imports_what_it_needs_and_no_more(tmp_path: Path) -> None:
    assert {"tensorflow", "matplotlib", "pandas", "pydicom"} <= libraries()
    write_film(tmp_path / "film.jpg", 1, height=210, width=210)
    imported = imported_by(command("run", str(tmp_path / "film.jpg"), "-o", str(tmp_path / "out"), "-q"))
    assert imported == {"click", "numpy", "jinja2"}


def test_workers_start_before_the_report_is_loaded(tmp_path: Path) -> None:
    write_film(tmp_path / "film.jpg", 1, height=210, width=210)
    run = command("run", str(tmp_path / "film.jpg"), "-o", str(tmp_path / "out"), "-q")
    later = libraries() - {"click"}
    imported = imported_by(
        "import os, sys\nfrom multiprocessing.process import active_children\nstarted = []\n"
        "def watch(event, arguments):\n"
        "    if event == 'import' and not started:\n"
        "        started.extend(active_children())\n"
        f"    if event == 'import' and arguments[0].partition('.')[0] in {later!r} and not started:\n"
        "        os.write(2, f'{arguments[0]} is imported before a worker was started'.encode())\n"
        f"        os._exit(1)\nsys.addaudithook(watch)\n{run}\n"
        "assert os.environ['OPENBLAS_NUM_THREADS'] == '1'"
    )
    assert "jinja2" in imported


def test_a_worker_imports_what_it_needs_and_no_more(tmp_path: Path) -> None:
    write_film(tmp_path / "film.jpg", 1, height=210, width=210)
    assert imported_by(scan(tmp_path)) == SCAN


def test_a_dicom_film_adds_its_decoders_alone(tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(dicom_film(film_pixels(1, height=210, width=210)))
    assert imported_by(scan(tmp_path)) == SCAN | {"pydicom", "imagecodecs", "tqdm"}  # pydicom imports tqdm


def test_the_viewers_modules_are_found_in_reports_too() -> None:
    imported_by(
        "from cxrscan.reports.viewer.decoding import film_source, scan\n"
        "from cxrscan.reports.viewer.finished_run import open_run"
    )
