"""Fit calibration, operating points and gate of a bundle again, measure it, and write its card; the network stays.

    python -m cxrscan.training.refit BUNDLE DATA… --also OTHER_VERSIONS

With ``--only-gate`` calibration and operating points stay, too. With ``--blur-taps`` the filter in front of the network
is made longer first: versions of a film that differ in sharpness then get answers more alike.

DATA are the films that the bundle was trained on, as `cxrscan train` takes them. They are split as the training run
split them: by its ``splits.csv`` where ``--splits`` names it, else by the seed and the share that ``model.json`` keeps.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import cv2

from cxrscan.scanner.errors import BundleError, TrainingError
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import (
    CARD_NAME,
    SPEC_NAME,
    ModelSpec,
    check_document,
    read_weights,
    spec_from_document,
)
from cxrscan.scanner.network.restore import restore_network
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.system.whole_files import followed, write_whole
from cxrscan.training.bundle import described, network_document
from cxrscan.training.bundle_files import write_files, write_spec
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.drift_reference import add_reference
from cxrscan.training.evaluate import evaluate, validation_films
from cxrscan.training.export import export_graph, round_to_float16
from cxrscan.training.films import LoadedFilms
from cxrscan.training.fit import predict_logits
from cxrscan.training.gate_statistics import fit_gate_of
from cxrscan.training.model_card import render_card
from cxrscan.training.splits import IndexArray, read_split, split_again


def refit(
    bundle: Path,
    loaded: LoadedFilms,
    train: IndexArray,
    validation: IndexArray,
    prior: float,
    *,
    blur_taps: int | None = None,
) -> None:
    """Fit all of a bundle but its network again; the same films give the same numbers.

    Parameters
    ----------
    train, validation
        Indices of the films.
    prior
        Share of films with pneumonia that the probabilities assume.
    blur_taps
        Of a longer filter in front of the network; None leaves the network as it is.

    Raises
    ------
    BundleError
        ``bundle-missing`` or ``bundle-invalid``.
    TrainingError
        ``config-invalid``: the filter would be shorter than it is, or have an even number of taps.
    """
    document = read_without_gate(bundle)
    graph, keras_logits = read_weights(bundle), None
    if blur_taps is not None:
        spec = spec_from_document(document, bundle)
        graph, keras_logits = _with_filter(graph, spec, blur_taps, validation_films(loaded, validation)[0])
    evaluation = evaluate(
        graph,
        loaded,
        train,
        validation,
        keras_logits=keras_logits,
        operating_point=document["default_operating_point"],
        prior=prior,
    )
    document.pop("temperature", None)
    document |= described(evaluation)
    if blur_taps is not None:
        document |= network_document(graph, evaluation)
        document["export"]["blur_taps"] = blur_taps
        document.pop("reference", None)  # of the network before
        write_files(followed(bundle), graph, document, render_card(document))
    _write_with_gate(bundle, document, loaded, train, validation)


def _with_filter(graph: bytes, spec: ModelSpec, blur_taps: int, films: FloatImage) -> tuple[bytes, FloatArray]:
    """The network with a longer filter in front, and what Keras says of films with it."""
    try:
        network = restore_network(graph, input_px=spec.input_px, alpha=spec.alpha, blur_taps=blur_taps)
    except ValueError as error:
        raise TrainingError("config-invalid", f"The filter cannot be made longer: {error}.") from error
    round_to_float16(network)
    return export_graph(network), predict_logits(network, films)


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
@click.option(
    "--blur-taps", type=click.IntRange(1), metavar="N", help="Make the filter in front of the network this long first."
)
@click.option("--only-gate", is_flag=True, help="Fit the gate alone; probabilities and their figures stay.")
def main(
    bundle: Path,
    data: tuple[str, ...],
    splits: Path | None,
    also: tuple[Path, ...],
    prior: float | None,
    blur_taps: int | None,
    only_gate: bool,
) -> None:
    """Fit calibration, operating points and gate of BUNDLE on the films of DATA again."""
    if only_gate and blur_taps is not None:
        raise click.UsageError("--blur-taps changes the probabilities, which --only-gate leaves as they are.")
    cv2.setNumThreads(1)
    document = read_without_gate(bundle)
    spec = spec_from_document(document, bundle)
    loaded = load_films(find_all_films([parse_data_set(text) for text in data], also), spec)
    train, validation = read_split(splits, loaded) if splits else split_again(document, loaded)
    if only_gate:
        refit_only_gate(bundle, loaded, train, validation)
    else:
        refit(bundle, loaded, train, validation, spec.prior if prior is None else prior, blur_taps=blur_taps)
    click.echo(f"{bundle} fitted again on {len(train)} films, measured on {len(validation)}.", err=True)


if __name__ == "__main__":
    main()
