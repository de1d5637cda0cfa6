"""The viewer in a real Chromium, see ``tests/chromium.py``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.evaluation.labels import LabelRequest
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film
from tests.chromium import ignored

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

collect_ignore_glob = ignored("the viewer")
COMMAND = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()", "view", "--no-browser"]


def _write_no_file() -> None:
    """Let every write to a file fail: what is uploaded must not touch the disk."""
    import resource  # there is none on Windows

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running viewer."""
    home = tmp_path_factory.mktemp("home")
    server = subprocess.Popen(COMMAND, cwd=home, stderr=subprocess.PIPE, text=True, preexec_fn=_write_no_file)
    assert server.stderr is not None
    line = server.stderr.readline()
    assert line.startswith("Viewer at http://127.0.0.1:"), line + server.stderr.read()
    yield line.split()[2]
    server.terminate()
    rest = server.communicate(timeout=20)[1]
    assert "Traceback" not in rest, rest
    assert not list(Path(home).iterdir())


def open_page(browser: Browser, address: str, width: int, height: int) -> Iterator[Page]:
    """A page that fails its test when anything is requested from elsewhere or goes wrong in the console."""
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    home = address.partition("?")[0]
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda it: None if it.url.startswith((home, "data:", "blob:")) else trouble.append(f"request: {it.url}"),
    )
    page.goto(address)
    yield page
    context.close()
    assert trouble == []


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run over three films."""
    folder = tmp_path_factory.mktemp("run")
    for number, label in enumerate(("NORMAL", "NORMAL", "PNEUMONIA")):
        write_film(folder / "films" / label / f"{number}.png", seed=number, height=300, width=320)
    request = RunRequest(
        roots=(folder / "films",),
        out=folder / "out",
        settings=ScanSettings(),
        n_workers=1,
        labels=LabelRequest("folders"),
    )
    return run(request, write_outputs).outputs.csv.parent


@pytest.fixture(scope="session")
def run_address(run_folder: Path) -> Iterator[str]:
    """Address of a viewer that pages through that run from its second film on."""
    command = [*COMMAND, str(run_folder), "--film", "NORMAL/1.png"]
    with subprocess.Popen(command, cwd=run_folder, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        yield server.stderr.readline().split()[2]
        server.terminate()


@pytest.fixture
def run_page(browser: Browser, run_address: str) -> Iterator[Page]:
    yield from open_page(browser, run_address, 1440, 900)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    yield from open_page(browser, address, 1280, 900)


@pytest.fixture
def narrow_page(browser: Browser, address: str) -> Iterator[Page]:
    yield from open_page(browser, address, 420, 900)
