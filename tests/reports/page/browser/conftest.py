"""The report in a real Chromium, see ``tests/chromium.py``.

The accessibility test needs axe-core besides: ``AXE_CORE`` names its ``axe.min.js`` (``npm pack axe-core``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.evaluation.agreement import Opinion
from cxrscan.scanner.evaluation.changes import Earlier
from cxrscan.scanner.evaluation.film_notes import note
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.run_record import Run
from tests.chromium import ignored, not_collected
from tests.reports.films import (
    HOSTILE_NAMES,
    INFO,
    MODEL,
    large_run,
    render,
    run_of,
    scored,
    small_run,
    studies_run,
    unlabelled,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE_CORE = Path(os.environ.get("AXE_CORE", "axe.min.js"))
collect_ignore_glob = ignored("the report")
collect_ignore: list[str] = []
if not AXE_CORE.is_file():
    not_collected.append("accessibility: needs axe-core, named by AXE_CORE")
    collect_ignore.append("test_accessibility.py")


def write_studies(folder: Path, n_films: int, n_studies: int) -> Path:
    """Write the report of a run in studies."""
    films, info = studies_run(n_films, n_studies), replace(INFO, group="dicom")
    versions = {"other versions of the same films": {"repeat_log_odds": Estimate(1.08)}}
    write_outputs(folder, Run(info, replace(MODEL, validation=versions), lambda: films))
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test when anything is requested from a network or goes wrong in the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    page.on(
        "request",
        lambda it: None if it.url.startswith(("file:", "data:", "blob:")) else trouble.append(f"request: {it.url}"),
    )
    yield page
    context.close()
    assert trouble == []


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small labelled run."""
    return render(tmp_path_factory.mktemp("labelled"), small_run()).html.parent


@pytest.fixture(scope="session")
def without_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the same run without labels."""
    return render(tmp_path_factory.mktemp("unlabelled"), unlabelled(small_run())).html.parent


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run whose names try to become code."""
    films = [scored(name, 0.9) for name in sorted(HOSTILE_NAMES)]
    return render(tmp_path_factory.mktemp("hostile"), films, title=HOSTILE_NAMES[0]).html.parent


@pytest.fixture(scope="session")
def in_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of 300 films in 120 studies of fewer patients."""
    return write_studies(tmp_path_factory.mktemp("studies"), 300, 120)


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run with readers and an earlier run."""
    folder = tmp_path_factory.mktemp("compared")
    films = small_run()
    opinions = [
        *(Opinion("NORMAL/a.jpg", "", who, "no-pneumonia") for who in ("Anna", "Ben")),
        *(Opinion("PNEUMONIA/g.jpg", "", who, "no-pneumonia") for who in ("Anna", "Ben")),
    ]
    before = [note(film, INFO) for film in (scored("NORMAL/a.jpg", 0.9), *films[1:-1])]
    write_outputs(folder, run_of(films), opinions=opinions, earlier=Earlier("last", "toy 1.0 at 0.50", tuple(before)))
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of 10,000 films."""
    return render(tmp_path_factory.mktemp("many"), large_run(10_000)).html.parent
