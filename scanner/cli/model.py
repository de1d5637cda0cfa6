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

_bundle = click.argument("bundle", required=False, type=options.Bundle(path_type=Path))


@click.group(short_help="Inspect model bundles, and add those of others.")
def model() -> None:
    """Inspect a model bundle, without BUNDLE the one that ships with cxrscan; add bundles of others by name."""


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


_index = click.option("--index", metavar="FILE|URL", help="JSON file that says which bundles there are.")


@model.command()
@click.argument("source", metavar="FOLDER|FILE|URL|NAME")
@click.option("--sha256", default="", metavar="HASH", help="What it must be: see docs/how-to/share-models.md.")
@click.option("--name", default="", help="What --model calls it; default: the name that the bundle gives itself.")
@_index
@click.option("--force", is_flag=True, help="Replace a bundle of that name.")
@click.option("--yes", is_flag=True, help="Accept its licence without being asked.")
def add(source: str, sha256: str, name: str, index: str | None, force: bool, yes: bool) -> None:
    """Add a bundle, so that --model takes its name.

    It is a folder, a zip file, an https address of one, hf://OWNER/REPOSITORY, or with --index a name in an index. It
    is tried, its card is shown, and its licence asked for.
    """
    from cxrscan.scanner.bundles import shelf
    from cxrscan.scanner.bundles.offers import Offer, check_name, read_index, receive
    from cxrscan.scanner.errors import BundleError
    from cxrscan.scanner.system.addresses import without_secrets
    from cxrscan.scanner.trial import verify_bundle

    offer = Offer(source, sha256)
    if index is not None:
        offers = read_index(index)
        if source not in offers:
            raise BundleError("bundle-missing", f"The index offers {', '.join(offers) or 'nothing'}.")
        offer, name = offers[source], name or source
    received = receive(offer)
    with shelf.laid_out(received, without_secrets(offer.source)) as folder:
        spec = verify_bundle(folder)
        for line in _description(replace(spec, folder=Path(without_secrets(offer.source)))):
            click.echo(printable(line), err=True)
        promised = "as promised" if offer.sha256 else "nobody promised another: compare it with what its makers say"
        click.echo(f"SHA-256  {received.sha256} ({promised})", err=True)
        name = check_name(name or spec.name.lower())
        if not force:
            shelf.refuse_taken(name)
        if not yes:
            click.confirm(printable(f"Add {name} under its licence, {spec.licence}?"), abort=True, err=True)
        place = shelf.keep(folder, name)
    click.echo(printable(f"Added {name} in {place}; scan with cxrscan run FILMS --model {name}"), err=True)


@model.command("list")
@_index
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_(index: str | None, as_json: bool) -> None:
    """List the bundles that were added, or those that an index offers."""
    rows = _offered(index) if index is not None else list(_added())
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(printable("  ".join(f"{row[column]:24}" for column in row).rstrip()))


def _offered(index: str) -> list[dict[str, str]]:
    from cxrscan.scanner.bundles.offers import read_index

    return [
        {"name": name, "description": offer.description, "source": offer.source}
        for name, offer in read_index(index).items()
    ]


def _added() -> Iterator[dict[str, str]]:
    """The shipped bundle, and those on the shelf; one that is damaged is told as such."""
    from cxrscan.scanner.bundles import shelf
    from cxrscan.scanner.errors import BundleError
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle

    places = {"(shipped)": DEFAULT_BUNDLE, **{name: shelf.shelf() / name for name in shelf.names()}}
    for name, folder in places.items():
        try:
            spec = load_bundle(folder)
            label, licence = spec.label, spec.licence
        except BundleError as error:
            label, licence = f"[{error.code}]", ""
        yield {"name": name, "bundle": label, "licence": licence, "source": shelf.origin(name)}
