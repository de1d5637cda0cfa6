"""What a report of many studies costs: time and memory to write it, and time until the page answers in Chromium.

python -m tests.bench.studies [--films 10000] [--studies 4000] [--json figures.json]
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import click
from playwright.sync_api import Browser, sync_playwright

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.records import Film
from tests.bench.machine import describe_machine, tell_machine
from tests.chromium import CHROMIUM, FLAGS
from tests.reports.films import INFO, run_of, studies_run


def write_seconds(folder: Path, films: list[Film], group: str) -> float:
    """Seconds that the outputs take."""
    start = time.perf_counter()
    write_outputs(folder, run_of(films, replace(INFO, group=group)))
    return time.perf_counter() - start


def page_seconds(browser: Browser, report: Path) -> dict[str, float]:
    """Seconds until the page is interactive, and that a search and a patient's studies take."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    start = time.perf_counter()
    page.goto(f"file://{report}", wait_until="commit")
    page.locator("#study-status", has_text="studies").wait_for()
    found = {"interactive_s": time.perf_counter() - start}
    for name, script in _ACTIONS.items():
        found[name] = float(
            page.evaluate(f"() => {{ const t = performance.now(); {script}; return (performance.now() - t) / 1e3; }}")
        )
    found["elements"] = float(page.evaluate("document.querySelectorAll('*').length"))
    page.close()
    return found


_TIMED = "() => { const t = performance.now(); %s; return (performance.now() - t) / 1e3; }"
_ACTIONS = {
    "search_s": "const q = document.querySelector('#study-query'); q.value = 'f'; q.dispatchEvent(new Event('input'))",
    "sort_s": "const s = document.all['study-sort']; s.value = 'films'; s.dispatchEvent(new Event('change'))",
    "follow_s": "document.querySelector('#study-scroller tbody button').click()",
}


@click.command()
@click.option("--films", "n_films", default=10_000, show_default=True)
@click.option("--studies", "n_studies", default=4_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here.")
def main(n_films: int, n_studies: int, rounds: int, json_path: Path | None) -> None:
    """Write the report of a run with and without studies in turn, and open both in Chromium."""
    machine = describe_machine()
    tell_machine(machine)
    films = studies_run(n_films, n_studies)
    figures: dict[str, Any] = {"machine": machine, "write_s": {}, "page": []}
    with tempfile.TemporaryDirectory(prefix="cxrscan-bench-") as scratch, sync_playwright() as playwright:
        folders = {group: Path(scratch) / (group or "none") for group in ("dicom", "")}
        for folder in folders.values():
            folder.mkdir()
        before_mb = _peak_mb()
        for group, folder in folders.items():
            figures["write_s"][group] = median(write_seconds(folder, films, group) for _ in range(rounds))
        figures["write_peak_mb"] = _peak_mb() - before_mb
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        figures["page"] = [page_seconds(browser, folders["dicom"] / "report.html") for _ in range(rounds)]
        browser.close()
        figures["report_mb"] = (folders["dicom"] / "report.html").stat().st_size / 1e6
    click.echo(f"{n_films:,} films in {n_studies:,} studies")
    click.echo(f"writing      {figures['write_s']['dicom']:.2f} s; without studies {figures['write_s']['']:.2f} s")
    click.echo(
        f"memory       {figures['write_peak_mb']:.0f} MB more than the films; report {figures['report_mb']:.1f} MB"
    )
    for name in figures["page"][0]:
        click.echo(f"{name:13}{median(one[name] for one in figures['page']):.3f}")
    if json_path is not None:
        json_path.write_text(json.dumps(figures, indent=2) + "\n")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
