"""Pictures of report and viewer for the site, made of the demo's synthetic films by a headless Chromium.

MkDocs calls it; ``python docs/pictures.py FOLDER`` writes them into a folder. Where Chromium or Playwright is missing,
plain pictures say so.
"""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

NAMES = ("report.png", "film.png", "viewer.png")
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_SIZE = {"width": 1200, "height": 800}
_FILM = "PNEUMONIA/synthetic-24-adult.dcm"
_TIMEOUT_MS = 60_000
_CXRSCAN = [sys.executable, "-c", "from cxrscan.scanner.cli import start; start()"]


def on_files(files: Any, config: Any) -> Any:
    """Add the pictures to the site."""
    from mkdocs.structure.files import File

    for name, data in pictures().items():
        files.append(File.generated(config, f"pictures/{name}", content=data))
    return files


def pictures() -> dict[str, bytes]:
    """Name -> PNG."""
    if _CHROMIUM is None or importlib.util.find_spec("playwright") is None:
        return dict.fromkeys(NAMES, _plain("This picture needs Chromium and Playwright when the site is built."))
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        subprocess.run([*_CXRSCAN, "demo", "-o", folder], check=True, capture_output=True)
        run = Path(folder) / "results"
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=_SIZE)  # type: ignore[arg-type]
        page.set_default_timeout(_TIMEOUT_MS)
        shots = {"report.png": _report(page, run), "film.png": _film(page)}
        with _viewer(run) as address:
            page.goto(address)
            page.locator("img").first.wait_for()
            page.wait_for_load_state("networkidle")
            shots["viewer.png"] = page.screenshot()
        browser.close()
    return shots


def _report(page: Any, run: Path) -> bytes:
    page.goto((run / "report.html").as_uri())
    page.wait_for_load_state("load")
    return bytes(page.screenshot())


def _film(page: Any) -> bytes:
    """The large view of the first film of the report."""
    page.locator("#films img").first.click()
    page.locator("dialog[open]").wait_for()
    return bytes(page.screenshot())


@contextmanager
def _viewer(run: Path) -> Iterator[str]:
    """Address of a viewer that shows a run."""
    viewer = subprocess.Popen(
        [*_CXRSCAN, "view", str(run), "--no-browser", "--film", _FILM], stderr=subprocess.PIPE, text=True
    )
    try:
        assert viewer.stderr is not None  # noqa: S101  # for mypy
        yield next(found[0] for line in viewer.stderr if (found := re.search(r"http://\S+", line)))
    finally:
        viewer.terminate()
        viewer.communicate()


def _plain(text: str) -> bytes:
    from PIL import Image, ImageDraw

    picture, data = Image.new("L", (600, 60), 235), io.BytesIO()
    ImageDraw.Draw(picture).text((20, 20), text, fill=40)
    picture.save(data, "PNG")
    return data.getvalue()


if __name__ == "__main__":
    for name, data in pictures().items():
        (Path(sys.argv[1]) / name).write_bytes(data)
