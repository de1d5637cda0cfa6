"""``cxrscan model``: what a bundle says of itself, and whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scanner.system.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanner.model_bundle import ModelSpec
    from scanner.records import Estimate

_bundle = click.argument("bundle", required=False, type=click.Path(path_type=Path))


@click.group(short_help="Inspect a model bundle.")
def model() -> None:
    """Inspect a model bundle; without BUNDLE the one that ships with cxrscan."""


@model.command()
@_bundle
@click.option("--json", "as_json", is_flag=True, help="Print model.json.")
def info(bundle: Path | None, as_json: bool) -> None:
    """Say what the model is, what it was trained on and where its limits are."""
    from scanner.model_bundle import DEFAULT_BUNDLE
    from scanner.trial import open_bundle

    opened = open_bundle(bundle or DEFAULT_BUNDLE)
    if as_json:
        click.echo(json.dumps(opened.document, indent=2))
        return
    for line in _description(opened.spec):
        click.echo(printable(line))


def _description(spec: ModelSpec) -> Iterator[str]:
    yield f"{spec.label}  ({spec.folder})"
    yield f"For      {spec.intended_use}"
    yield from (f"{'' if i else 'Limits':8} {limit}" for i, limit in enumerate(spec.limits))
    yield "Operating points"
    for point in spec.operating_points.values():
        mark = "*" if point.name == spec.default_operating_point else " "
        yield (
            f" {mark} {point.name:8} p >= {point.threshold:.4f}   sensitivity {_figure(point.sensitivity)}"
            f"   specificity {_figure(point.specificity)}"
        )
    yield "   (* the default; figures from validation films, with 95 % intervals)"
    for films, metrics in spec.validation.items():
        yield f"Validation, {films}: " + ", ".join(f"{name} {_figure(value)}" for name, value in metrics.items())
    yield f"Weights  SHA-256 {spec.weights_sha256}"
    yield f"Licence  {spec.licence}"


@model.command()
@_bundle
def verify(bundle: Path | None) -> None:
    """Check a bundle: schema, hash of the weights, and two pictures scanned in a process of its own."""
    from scanner.model_bundle import DEFAULT_BUNDLE
    from scanner.trial import verify_bundle

    spec = verify_bundle(bundle or DEFAULT_BUNDLE)
    click.echo(printable(f"{spec.label}: whole."))


def _figure(estimate: Estimate) -> str:
    if estimate.value is None:
        return f"undefined ({estimate.reason})"
    interval = f" ({estimate.low:.3f}-{estimate.high:.3f})" if estimate.low is not None else ""
    return f"{estimate.value:.3f}{interval}"
