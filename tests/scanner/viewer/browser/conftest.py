"""The viewer in a real Chromium, see ``tests/chromium.py``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chromium import ignored

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

collect_ignore_glob = ignored("the viewer")
COMMAND = [sys.executable, "-c", "from scanner.cli.main import main; main()", "view", "--no-browser"]


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


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    yield from open_page(browser, address, 1280, 900)


@pytest.fixture
def narrow_page(browser: Browser, address: str) -> Iterator[Page]:
    yield from open_page(browser, address, 420, 900)
