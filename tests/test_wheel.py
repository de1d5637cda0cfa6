"""The wheel in an environment of its own: it installs cxrscan alone, and folders of other people do it no harm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from click.shell_completion import get_completion_class

from cxrscan.scanner.cli.main import COMMANDS, cxrscan
from tests.builders import write_film
from tests.test_docs import ROOT

FOLDERS = ("scanner", "reports", "training", "templates")


def call(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a release is: a source archive from the project, a wheel from the source archive."""
    work = tmp_path_factory.mktemp("wheel")
    project = work / "project"
    shutil.copytree(ROOT / "deploy/completion", project / "deploy/completion")
    for folder in ("cxrscan", *FOLDERS):
        shutil.copytree(ROOT / folder, project / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    call(sys.executable, "-c", f"from setuptools import build_meta as b; b.build_sdist({str(work)!r})", cwd=project)
    (source,) = work.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", work, source, cwd=work)
    (built,) = work.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of an environment with the wheel alone; libraries are borrowed from here."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python")
    call(*pip, "install", "--no-deps", "--no-index", wheel, cwd=environment)
    (place,) = environment.rglob("site-packages")
    (place / "libraries.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    return programs


def test_the_wheel_holds_every_file_of_the_packages_once_and_under_cxrscan(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    others = [name for name in names if ".dist-info/" in name or ".data/data/share/" in name]
    expected = ["cxrscan/" + str(path.relative_to(ROOT / "cxrscan")) for path in (ROOT / "cxrscan").glob("*.*")]
    expected += [
        f"cxrscan/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    assert sorted(set(names) - set(others)) == sorted(expected)
    assert len(names) == len(set(names))


def test_the_wheel_brings_a_page_for_each_command(installed: Path) -> None:
    pytest.importorskip("click_man")
    pages = installed.parent / "share/man/man1"
    names = {"cxrscan", *(f"cxrscan-{name}" for name in COMMANDS)}
    assert names <= {page.stem for page in pages.iterdir()}
    assert "--refer" in (pages / "cxrscan-run.1").read_text().replace("\\-", "-")


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", "bash-completion/completions/cxrscan"),
        ("zsh", "zsh/site-functions/_cxrscan"),
        ("fish", "fish/vendor_completions.d/cxrscan.fish"),
    ],
)
def test_the_wheel_brings_completion_for_each_shell(shell: str, file: str, installed: Path) -> None:
    script = get_completion_class(shell)(cxrscan, {}, "cxrscan", "_CXRSCAN_COMPLETE").source()  # type: ignore[misc]
    assert (installed.parent / "share" / file).read_text().strip() == script.strip()


def test_foreign_packages_of_the_same_names_are_not_imported(installed: Path, tmp_path: Path) -> None:
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ImportError('the {name} of somebody else')\n")
    write_film(tmp_path / "films/NORMAL/0.png", 0, height=210, width=210)
    write_film(tmp_path / "films/PNEUMONIA/1.png", 1, height=210, width=210)
    call(installed / "cxrscan", "run", "films", "-o", "out", "--labels", "folders", "--workers", 2, cwd=tmp_path)
    call(installed / "cxrscan", "report", "out", cwd=tmp_path)
    assert (tmp_path / "out/report.html").stat().st_size > 50_000
    code = (
        "from cxrscan import training; from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE; print(DEFAULT_BUNDLE)"
    )
    bundle = Path(call(installed / "python", "-c", code, cwd=tmp_path).strip())
    assert bundle.is_relative_to(installed.parent)
    assert "Usage" in call(installed / "python", "-m", "cxrscan.training.refit", "--help", cwd=tmp_path)
