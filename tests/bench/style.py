"""Does a bundle read the machine instead of the lungs?

    python -m tests.bench.style BUNDLE children=FOLDER adults=TABLE.csv --weights FILE [--splits splits.csv]
    python -m tests.bench.style --hold-out TABLE.csv children=FOLDER --weights FILE

The first prints, for each population: how well statistics of style alone tell the classes apart, what the bundle says
of the normal films in each cluster of styles, the worst cluster, how well its log-odds tell the views apart within a
class (films with pneumonia: 0.5 when the view is not read), and figures within views. With ``--splits`` (of the
bundle's training run) it looks at validation films only.

The second writes a table for ``cxrscan train`` in which the films that go against their style are held out, class by
class: normal films of clusters where pneumonia prevails, and the reverse. Their patients are held out too, and a sixth
of the others. Figures of a bundle trained on that table say how it does with styles that it has not seen in a class.
Recipes are chosen by the worst of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import click
import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from cxrscan.scanner.calibration import probabilities
from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.model_bundle import load_bundle
from cxrscan.scanner.network.config import NetworkConfig
from cxrscan.scanner.records import NEGATIVE, POSITIVE
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.films import LoadedFilms
from cxrscan.training.gate_statistics import _predict
from cxrscan.training.splits import IndexArray, read_split, split_by_patient
from cxrscan.training.style import style_clusters, style_log_odds, style_statistics
from cxrscan.training.table import TRAIN, VALIDATION

_FEW, _ENOUGH = 0.3, 10
"""A class goes against the style of a cluster in which it has less than this share of what would be its due; clusters
of fewer films get no figure."""
_COLUMNS = ("path", "label", "patient", "population", "weight", "view", "sex", "finding", "findings", "boxes", "split")
_FRACTION, _SEED = 0.16, 0


def against_style(clusters: IndexArray, truth: BoolArray) -> BoolArray:
    """Films of the class that is rare in their cluster; shape (N,)."""
    share = {k: float(truth[clusters == k].mean()) for k in np.unique(clusters)}
    due = float(truth.mean())
    is_rare = {k: (ill / due < _FEW, (1 - ill) / (1 - due) < _FEW) for k, ill in share.items()}  # pneumonia, normal
    return np.array([is_rare[k][0 if ill else 1] for k, ill in zip(clusters, truth, strict=True)])


def report(loaded: LoadedFilms, chosen: IndexArray, log_odds: FloatArray, threshold: float, weights: str) -> None:
    """Print the figures of one population.

    Parameters
    ----------
    chosen
        Indices of its films.
    log_odds
        What the bundle says of them, calibrated; shape (N,).
    """
    truth = loaded.truth[chosen]
    first = loaded.pixels[[loaded.rows[i][0] for i in chosen]]
    statistics = style_statistics(first, weights)
    clusters = style_clusters(statistics)
    style = style_log_odds(statistics, truth, [loaded.films[i].patient for i in chosen])
    is_called = log_odds >= np.log(threshold / (1 - threshold))
    click.echo(f"{truth.size} films, {truth.sum()} with pneumonia: AUC {_auc(truth, log_odds)}")
    click.echo(f"AUC of style alone, patients held out: {_auc(truth, style)}")
    within = [np.corrcoef(log_odds[truth == ill], style[truth == ill])[0, 1] for ill in (False, True)]
    click.echo(f"Correlation of log-odds with style, normal and pneumonia: {within[0]:.2f}, {within[1]:.2f}\n")
    click.echo("| style | normal | pneumonia | mean log-odds of normals | specificity | AUC of its normals |")
    click.echo("|---|---|---|---|---|---|")
    for k in np.argsort([style[clusters == k].mean() for k in range(clusters.max() + 1)]):
        normal, ill = (clusters == k) & ~truth, (clusters == k) & truth
        figures = ["", "", ""]
        if normal.any():
            auc = _auc(truth, log_odds, normal | truth) if normal.sum() >= _ENOUGH else ""
            figures = [f"{log_odds[normal].mean():.2f}", f"{1 - is_called[normal].mean():.3f}", auc]
        click.echo(f"| {k} | {normal.sum()} | {ill.sum()} | " + " | ".join(figures) + " |")
    enough = [k for k in np.unique(clusters) if np.sum((clusters == k) & ~truth) >= _ENOUGH]
    worst = min(enough, key=lambda k: 1 - is_called[(clusters == k) & ~truth].mean(), default=None)
    if worst is not None:
        click.echo(f"\nWorst of the styles with {_ENOUGH} normals and more: {worst}")
    rare = against_style(clusters, truth)
    click.echo("\n| normals | pneumonias | AUC |\n|---|---|---|")
    for normal_name, normals in (("all", ~truth), ("against their style", rare & ~truth)):
        for ill_name, ills in (("all", truth), ("against their style", rare & truth)):
            click.echo(f"| {normal_name} ({normals.sum()}) | {ill_name} ({ills.sum()}) | "
                       f"{_auc(truth, log_odds, normals | ills)} |")  # fmt: skip
    views = np.array([loaded.films[i].view for i in chosen])
    for ill, name in ((False, "normal"), (True, "pneumonia")):
        is_it = (truth == ill) & (views != "")
        if len(np.unique(views[is_it])) == 2:
            is_first = views == np.unique(views[is_it])[0]
            told = f"{views[is_it & is_first][0]} from {views[is_it & ~is_first][0]}"
            click.echo(f"Log-odds tell {told}, {name}: AUC {_auc(is_first, log_odds, is_it)}")
    for view in np.unique(views):
        if len(np.unique(views)) > 1:
            click.echo(f"Within {view or 'unknown'}: AUC {_auc(truth, log_odds, views == view)}")


def _auc(truth: BoolArray, scores: FloatArray, chosen: BoolArray | None = None) -> str:
    chosen = np.ones_like(truth) if chosen is None else chosen
    if truth[chosen].all() or not truth[chosen].any():
        return ""
    return f"{roc_auc_score(truth[chosen], scores[chosen]):.3f}"


def write_hold_out(table: Path, loaded: LoadedFilms, weights: str) -> None:
    """Write a table in which the films that go against their style are on the validation side."""
    held_out = set(map(int, split_by_patient(loaded, _FRACTION, _SEED)[1]))
    for name in loaded.populations:
        chosen = np.array([i for i, film in enumerate(loaded.films) if film.population == name])
        clusters = style_clusters(style_statistics(loaded.pixels[[loaded.rows[i][0] for i in chosen]], weights))
        held_out |= set(map(int, chosen[against_style(clusters, loaded.truth[chosen])]))
    patients = {(loaded.films[i].population, loaded.films[i].patient) for i in held_out}
    copies = {loaded.digests[loaded.rows[i][0]] for i in held_out}
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for i, film in enumerate(loaded.films):
            is_out = (film.population, film.patient) in patients or loaded.digests[loaded.rows[i][0]] in copies
            label, split = POSITIVE if film.is_positive else NEGATIVE, VALIDATION if is_out else TRAIN
            told = (film.patient, film.population, film.weight, film.view, film.sex, film.finding)
            findings = "|".join(film.findings or ())
            boxes = json.dumps([[box.left, box.top, box.width, box.height] for box in film.boxes]) if film.boxes else ""
            writer.writerow([film.paths[0].resolve(), label, *told, findings, boxes, split])


def _each_population(loaded: LoadedFilms, chosen: Iterable[int]) -> Iterable[tuple[str, IndexArray]]:
    for name in loaded.populations:
        yield name, np.array([i for i in chosen if loaded.films[i].population == name], dtype=np.intp)


@click.command()
@click.argument("bundle_and_data", nargs=-1, required=True, metavar="[BUNDLE] NAME=DATA...")
@click.option("--weights", default="imagenet", help="Weights trained on photographs, as for `cxrscan train`.")
@click.option("--splits", type=click.Path(exists=True, path_type=Path), help="splits.csv of the training run.")
@click.option("--hold-out", type=click.Path(path_type=Path), metavar="TABLE.csv", help="Write this table instead.")
def main(bundle_and_data: tuple[str, ...], weights: str, splits: Path | None, hold_out: Path | None) -> None:
    """Print how far a bundle reads the style of films."""
    cv2.setNumThreads(1)
    if hold_out is not None:
        data_sets = [parse_data_set(name) for name in bundle_and_data]
        write_hold_out(hold_out, load_films(find_all_films(data_sets), NetworkConfig()), weights)
        return
    bundle, *data = bundle_and_data
    spec = load_bundle(Path(bundle))
    loaded = load_films(find_all_films([parse_data_set(name) for name in data]), spec)
    films = read_split(splits, loaded)[1] if splits else np.arange(len(loaded.films))
    engine = LiteRTEngine(spec, n_threads=2)
    for name, chosen in _each_population(loaded, films):
        click.echo(f"\n## {name or 'films'}\n")
        said = _predict(engine, loaded.pixels, [loaded.rows[i][0] for i in chosen])
        threshold = spec.operating_points[spec.default_operating_point].threshold
        prob = np.clip(probabilities(spec, said), 1e-9, 1 - 1e-9)
        report(loaded, chosen, np.log(prob) - np.log1p(-prob), threshold, weights)


if __name__ == "__main__":
    main()
