"""``cxrscan model``: what a bundle says of itself, and whether it is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from cxrscan.scanner.cli import options
from cxrscan.scanner.system.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxrscan.scanner.model_bundle import ModelSpec

_bundle = click.argument("bundle", required=False, type=options.LocalPath(path_type=Path))


@click.group(short_help="Inspect a model bundle.")
def model() -> None:
    """Inspect a model bundle; without BUNDLE the one that ships with cxrscan."""


@model.command()
@_bundle
@click.option("--json", "as_json", is_flag=True, help="Print model.json.")
def info(bundle: Path | None, as_json: bool) -> None:
    """Say what the model is, what it was trained on and where its limits are."""
    from cxrscan.reports.wording import terminal_text
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
    from cxrscan.scanner.trial import open_bundle

    opened = open_bundle(bundle or DEFAULT_BUNDLE)
    if as_json:
        click.echo(json.dumps(opened.document, indent=2))
        return
    for line in _description(opened.spec):
        click.echo(printable(terminal_text(line)))


def _description(spec: ModelSpec) -> Iterator[str]:
    from cxrscan.reports.wording import probability_text, set_title, title_of, with_interval

    yield f"{spec.label}  ({spec.folder})"
    yield f"For      {spec.intended_use}"
    yield from (f"{'' if i else 'Limits':8} {limit}" for i, limit in enumerate(spec.limits))
    yield "Operating points"
    for point in spec.operating_points.values():
        mark = "*" if point.name == spec.default_operating_point else " "
        yield (
            f" {mark} {point.name:8} p >= {probability_text(point.threshold)}   "
            f"sensitivity {with_interval('sensitivity', point.sensitivity)}   "
            f"specificity {with_interval('specificity', point.specificity)}"
        )
    yield "   (* the default; figures from validation films, with 95 % intervals)"
    for films, metrics in spec.validation.items():
        yield f"Validation, {set_title(films)}: " + ", ".join(
            f"{title_of(name)} {with_interval(name, value)}" for name, value in metrics.items()
        )
    for descent in spec.lineage:
        forced = ", by force" if descent.forced else ""
        yield (
            f"Adapted  {descent.date} at {descent.site}: {descent.rung}, {descent.n_films:,} films{forced}; "
            f"from {descent.parent} ({descent.parent_sha256[:12]})"
        )
    yield f"Weights  SHA-256 {spec.weights_sha256}"
    yield f"Licence  {spec.licence}"


@model.command()
@_bundle
def verify(bundle: Path | None) -> None:
    """Check a bundle: schema, hash of the weights, and the way of one drawn film to a report."""
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
    from cxrscan.scanner.trial import verify_bundle

    spec = verify_bundle(bundle or DEFAULT_BUNDLE)
    _render_one(spec)
    click.echo(printable(f"{spec.label}: OK. Schema, hash and a test film agree."))


def _render_one(spec: ModelSpec) -> None:
    """Scan a drawn film and write its outputs, which are thrown away."""
    from cxrscan.reports.outputs import write_outputs
    from cxrscan.scanner.errors import BundleError
    from cxrscan.scanner.records import Film, ImageSource, ScanResult
    from cxrscan.scanner.settings import ScanSettings
    from cxrscan.scanner.viewer.opening import session_run
    from cxrscan.scanner.worker import scan_chunk

    film = ImageSource(Path("drawn.png"), "drawn.png", None, data=_drawn_png())
    (result,) = scan_chunk([film], ScanSettings(spec.folder, gate="warn"))
    if not isinstance(result, ScanResult) or result.status != "scored":
        problem = result.failure.message if isinstance(result, ScanResult) and result.failure else "it is rejected."
        raise BundleError("bundle-invalid", f"{spec.folder} gives a drawn film no probability: {problem}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = session_run(spec)
    info = replace(run.info, started_at=now, finished_at=now)
    with TemporaryDirectory() as folder:
        write_outputs(Path(folder), replace(run, info=info, films=lambda: [Film(result)]))


def _drawn_png() -> bytes:
    """File of a synthetic chest film."""
    import cv2
    import numpy as np

    from cxrscan.scanner.synthetic_films import FilmModel, draw_film

    film = draw_film(FilmModel.load(), 1, np.random.default_rng(0), 640)
    return cv2.imencode(".png", np.rint(film * 255).astype(np.uint8))[1].tobytes()
