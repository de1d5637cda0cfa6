"""Two people read a list of films in a browser, blind; afterwards their sheets are held against each other."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.builders import write_film
from tests.scanner.cli.test_cli import cxrscan
from tests.scanner.viewer.browser.conftest import COMMAND, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    for seed in range(3):
        write_film(folder / f"films/film{seed}.png", seed, height=300, width=320)
    done = cxrscan("run", folder / "films", "-o", folder / "out", "--workers", 1, "-q")
    assert done.returncode == 0, done.stderr
    assert cxrscan("queue", folder / "out", "-q").returncode == 0
    return folder / "out"


@contextmanager
def read_by(browser: Browser, run_folder: Path, reader: str) -> Iterator[Page]:
    command = [*COMMAND, str(run_folder), "--queue", str(run_folder / "queue.csv"), "--reader", reader]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        line = server.stderr.readline()
        assert line.startswith("Viewer at "), line + server.stderr.read()
        yield from open_page(browser, line.split()[2], 1280, 900)
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_a_list_is_read_with_nothing_told(browser: Browser, run_folder: Path) -> None:
    for reader, answers in {
        "anna": ("Pneumonia", "No pneumonia", "Unsure"),
        "ben": ("Pneumonia", "Pneumonia", "Unsure"),
    }.items():
        with read_by(browser, run_folder, reader) as page:
            for number, answer in enumerate(answers, 1):
                page.get_by_text(f"{number - 1} of 3 films read").wait_for()
                expect(page.get_by_label("Film (of 3)")).to_have_value(str(number))
                page.get_by_role("img", name="Film", exact=True).wait_for()
                page.locator('[data-test-script-state="notRunning"]').wait_for()  # the film before is no longer there
                page.locator("[data-testid^=stBaseButton-]", has_text=re.compile(f"^{answer}")).click()
                page.get_by_text(f"{number} of 3 films read").wait_for()
                said = page.locator("body").inner_text()
                assert not any(
                    word in said for word in ("PNEUMONIA", "NORMAL", "film0", "film1", "film2", "robability of")
                )
                if number < 3:
                    page.get_by_role("button", name="Next unread film").click()
            page.get_by_text("All films of the list are read.").wait_for()
    for name in ("anna", "ben"):
        sheet = (run_folder / f"verdicts-{name}.csv").read_text(encoding="utf-8-sig")
        assert [row["blind"] for row in csv.DictReader(io.StringIO(sheet, newline=""))] == ["yes"] * 3
    found = json.loads(cxrscan("agreement", run_folder, "--json").stdout)
    assert found["pairs"][0]["observed"] == pytest.approx(2 / 3)
