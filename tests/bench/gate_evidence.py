"""Which evidence tells what: the gate's measures and those of the literature, held against the same pictures.

    python -m tests.bench.gate_evidence [NAME=]DATA... [--adults FOLDER] [--model BUNDLE]

For every measure and group: the area under the ROC curve against validation films, and the share of the group beyond
the limit that 1 validation film in 200 exceeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from cxrscan.scanner.calibration import root
from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.gate import evidence
from cxrscan.scanner.gate.evidence import SMALL_PX
from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document
from cxrscan.scanner.preprocess import resize, to_model_input
from cxrscan.scanner.records import FloatImage
from cxrscan.training.augment import shifted_copy
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.gate_statistics import _predict, _principal_components
from cxrscan.training.splits import split_again
from tests.bench.gate_rates import NO_CHEST, adult_films, read_inputs

_SHIFT_SEED = 77
_EVERY_NTH_TRAINING_FILM, _EVERY_NTH_HELD_OUT_FILM = 4, 3
_N_COMPONENTS = 32

Values = npt.NDArray[np.float64]


@dataclass
class Group:
    """Pictures of one kind, and what the network says of them."""

    name: str
    pixels: FloatImage
    embeddings: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32]


def measures(statistics: GateStatistics, training: npt.NDArray[np.float32]) -> dict[str, Callable[[Group], Values]]:
    """Measure -> value of every picture of a group; large means strange.

    Parameters
    ----------
    training
        shape (n, C), embeddings of training films.
    """
    mean, basis = _principal_components(root(training), _N_COMPONENTS)
    inside = (root(training) - mean) @ basis.T
    covariance = LedoitWolf().fit(inside)

    def each(measure: Callable[[FloatImage], float]) -> Callable[[Group], Values]:
        return lambda group: np.array([measure(film[..., 0]) for film in group.pixels])

    def small(film: FloatImage) -> FloatImage:
        return resize(np.ascontiguousarray(film), SMALL_PX, SMALL_PX)

    def neighbour(rows: npt.NDArray[np.float32], known: npt.NDArray[np.float32]) -> Values:
        unit, known_unit = (some / np.linalg.norm(some, axis=1, keepdims=True) for some in (rows, known))
        return 1.0 - np.sort(unit @ known_unit.T, axis=1)[:, -10].astype(np.float64)

    def whole(group: Group) -> Values:
        looks = [statistics.look_at(film[..., 0]) for film in group.pixels]
        both = [statistics.look_deeper(look, each) for look, each in zip(looks, group.embeddings, strict=True)]
        return np.array(both)

    return {
        "energy (Liu and others 2020)": lambda group: -np.logaddexp(0, group.logits.astype(np.float64)),
        "nearness to the threshold": lambda group: -np.abs(group.logits.astype(np.float64)),
        "Mahalanobis distance, 32 components": lambda group: covariance.mahalanobis(
            (root(group.embeddings) - mean) @ basis.T
        ),
        "10th nearest neighbour": lambda group: neighbour(group.embeddings, training),
        "features outside 32 components *": lambda group: np.array([statistics.features(e) for e in group.embeddings]),
        "10th nearest neighbour inside 32 components": lambda group: neighbour(
            (root(group.embeddings) - mean) @ basis.T, inside
        ),
        "edges: their part of the linear classifier": each(
            lambda film: statistics.anatomy(evidence.edge_layout(small(film))).max()
        ),
        "edges outside 16 components *": each(lambda film: statistics.edges(evidence.edge_layout(small(film)))),
        "brightness layout *": each(lambda film: statistics.brightness(evidence.grey_layout(small(film)))),
        "misfit: classifier on edges and features *": lambda group: whole(group)[:, 0],
        "misfit with edges: classifier + edges outside *": lambda group: whole(group)[:, 1],
        "strangeness: features + edges + brightness *": lambda group: whole(group)[:, 2],
    }


@click.command()
@click.argument("data", nargs=-1, required=True, metavar="[NAME=]DATA...")
@click.option("--adults", type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(exists=True, path_type=Path), default=DEFAULT_BUNDLE)
def main(data: tuple[str, ...], adults: Path | None, model: Path) -> None:
    """Print a table of measures and groups."""
    cv2.setNumThreads(1)
    document, spec = read_document(model), load_bundle(model)
    engine, statistics = LiteRTEngine(spec, n_threads=2), GateStatistics.from_document(document["gate"])
    loaded = load_films(find_all_films([parse_data_set(text) for text in data]), spec)
    train, held_out = split_again(document, loaded)
    rows = [loaded.rows[i][0] for i in train[::_EVERY_NTH_TRAINING_FILM]]
    plain = loaded.pixels[[loaded.rows[i][0] for i in held_out[::_EVERY_NTH_HELD_OUT_FILM]]]
    pixels = {"validation": plain, "shifted": shifted_copy(plain, _SHIFT_SEED)}
    if adults is not None:
        pixels["adults"] = read_inputs([*sorted(adults.glob("*.dcm")), *adult_films()], spec.input_px)
    for draw in NO_CHEST:
        pictures = [picture.astype(np.float32) / 255 for _, picture in draw()]
        pixels[draw.__name__.replace("_", " ")] = np.stack([to_model_input(p, spec.input_px) for p in pictures])
    groups = []
    for name, films in pixels.items():
        said = _predict(engine, films, range(len(films)))
        groups.append(Group(name, films, said.embeddings, said.logits))
    click.echo("| measure | " + " | ".join(f"{group.name} ({len(group.pixels)})" for group in groups[1:]) + " |")
    click.echo("|---|" + "---|" * (len(groups) - 1))
    for title, measure in measures(statistics, _predict(engine, loaded.pixels, rows).embeddings).items():
        usual, *others = (measure(group) for group in groups)
        limit = np.quantile(usual, 0.995)
        cells = [
            f"{roc_auc_score(np.repeat([0, 1], [len(usual), len(values)]), np.concatenate([usual, values])):.3f}, "
            f"{100 * (values > limit).mean():.0f} %"
            for values in others
        ]
        click.echo(f"| {title} | " + " | ".join(cells) + " |")
        if title.startswith(("misfit", "strange")):
            for group, values in zip(groups, (usual, *others), strict=True):
                quantiles = ", ".join(
                    f"{value:.2f}" for value in np.quantile(values, [0, 0.01, 0.05, 0.5, 0.95, 0.995, 1])
                )
                click.echo(f"{title} of {group.name}, quantiles 0 1 5 50 95 99.5 100: {quantiles}", err=True)


if __name__ == "__main__":
    main()
