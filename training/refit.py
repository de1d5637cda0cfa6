"""Fit calibration, operating points and gate of a bundle again, measure it, and write its card; the network stays.

    python -m cxrscan.training.refit BUNDLE DATA… --also OTHER_VERSIONS

With ``--only-gate`` calibration and operating points stay, too. DATA are the films that the bundle was trained on, as
`cxrscan train` takes them. They are split as the training run split them: by its ``splits.csv`` where ``--splits``
names it, else by the seed and the share that ``model.json`` keeps.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import cv2

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import CARD_NAME, SPEC_NAME, check_document, read_weights, spec_from_document
from cxrscan.scanner.system.whole_files import followed, write_whole
from cxrscan.training.bundle import described
from cxrscan.training.bundle_files import write_spec
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.drift_reference import add_reference
from cxrscan.training.evaluate import evaluate
from cxrscan.training.films import LoadedFilms
from cxrscan.training.gate_statistics import fit_gate_of
from cxrscan.training.model_card import render_card
from cxrscan.training.splits import IndexArray, read_split, split_again


def refit(bundle: Path, loaded: LoadedFilms, train: IndexArray, validation: IndexArray, prior: float) -> None:
    """Fit all of a bundle but its network again; the same films give the same numbers.

    Parameters
    ----------
    train, validation
        Indices of the films.
    prior
        Share of films with pneumonia that the probabilities assume.

    Raises
    ------
    BundleError
        ``bundle-missing`` or ``bundle-invalid``.
    """
    document = read_without_gate(bundle)
    document.pop("temperature", None)
    evaluation = evaluate(
        read_weights(bundle),
        loaded,
        train,
        validation,
        operating_point=document["default_operating_point"],
        prior=prior,
    )
    _write_with_gate(bundle, document | described(evaluation), loaded, train, validation)


def refit_only_gate(bundle: Path, loaded: LoadedFilms, train: IndexArray, validation: IndexArray) -> None:
    """Fit the gate of a bundle again, and what depends on it; figures, calibration and operating points stay.

    Raises
    ------
    BundleError
        ``bundle-missing`` or ``bundle-invalid``.
    """
    _write_with_gate(bundle, read_without_gate(bundle), loaded, train, validation)


def _write_with_gate(
    bundle: Path, document: dict[str, Any], loaded: LoadedFilms, train: IndexArray, validation: IndexArray
) -> None:
    document.pop("reference", None)  # it lies in the coordinates of the gate before
    document["version"] = next_version(document["version"])
    document["gate"] = fit_gate_of(bundle, document, loaded, train, validation).to_document()
    folder = followed(bundle)
    write_spec(folder, document)
    add_reference(folder, [loaded.films[i] for i in validation])
    write_whole(folder / CARD_NAME, render_card(document).encode())


def read_without_gate(bundle: Path) -> dict[str, Any]:
    """Read a ``model.json`` whose gate may be of another version, or damaged.

    Raises
    ------
    BundleError
        ``bundle-invalid``.
    """
    try:
        document = json.loads((bundle / SPEC_NAME).read_text(encoding="utf-8"))
        document["gate"] = None
    except (OSError, ValueError, TypeError) as error:
        raise BundleError("bundle-invalid", f"{bundle / SPEC_NAME} cannot be read: {error}.") from error
    check_document(document, where=str(bundle / SPEC_NAME))
    return dict(document)


def next_version(version: str) -> str:
    """``2026.11.26-lungs`` -> ``2026.11.26-lungs.2`` -> ``2026.11.26-lungs.3``: other figures are another version."""
    name, _, number = version.rpartition(".")
    if name and re.fullmatch(r"[1-9]\d*", number) and "-" in name:
        return f"{name}.{int(number) + 1}"
    return f"{version}.2"


_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("bundle", type=_folder)
@click.argument("data", nargs=-1, required=True, metavar="[NAME=]DATA...")
@click.option(
    "--splits",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="splits.csv of the training run; without it the films are split again, as model.json says.",
)
@click.option("--also", type=_folder, multiple=True, help="Other versions of the same films; may be repeated.")
@click.option(
    "--prior",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of films with pneumonia that probabilities assume; without it that of the bundle.",
)
@click.option("--only-gate", is_flag=True, help="Fit the gate alone; probabilities and their figures stay.")
def main(
    bundle: Path,
    data: tuple[str, ...],
    splits: Path | None,
    also: tuple[Path, ...],
    prior: float | None,
    only_gate: bool,
) -> None:
    """Fit calibration, operating points and gate of BUNDLE on the films of DATA again."""
    cv2.setNumThreads(1)
    document = read_without_gate(bundle)
    spec = spec_from_document(document, bundle)
    loaded = load_films(find_all_films([parse_data_set(text) for text in data], also), spec)
    train, validation = read_split(splits, loaded) if splits else split_again(document, loaded)
    if only_gate:
        refit_only_gate(bundle, loaded, train, validation)
    else:
        refit(bundle, loaded, train, validation, spec.prior if prior is None else prior)
    click.echo(f"{bundle} fitted again on {len(train)} films, measured on {len(validation)}.", err=True)


if __name__ == "__main__":
    main()
