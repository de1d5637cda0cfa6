"""How many films a reader must read: those of ``cxrscan queue`` against films taken at random.

    cxrscan run adults/films --model children-only-bundle --gate warn -o run
    python -m tests.bench.queue run adults

The reader is simulated: ``films.csv`` in the second folder tells what radiologists saw (columns file, patient,
radiologist). Half of the patients are read from, the other half measures. A logistic regression on the embeddings
learns from the films read so far. Bundle and films should not know each other: a network that was trained on them has
nothing left to learn.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import scale

from cxrscan.scanner.calibration import root
from cxrscan.scanner.evaluation.reading_list import choose_films
from cxrscan.scanner.metrics import BoolArray, FloatArray
from cxrscan.scanner.model_bundle import log_odds as log_odds_of
from cxrscan.scanner.populations.portrait import embedded_features
from cxrscan.scanner.runs.embedded import embedded_films
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model

SIZES = (25, 50, 100, 200, 400)
N_DRAWS = 20
_REGULARISATION = 1e-3
_N_COMPONENTS = 256
IndexArray = npt.NDArray[np.intp]


def learnt_auc(rows: FloatArray, truth: BoolArray, read: IndexArray, hidden: IndexArray) -> float:
    """AUC on hidden films after reading some; 0.5 where all that was read is of one class."""
    if truth[read].all() or not truth[read].any():
        return 0.5
    head = LogisticRegression(C=_REGULARISATION, class_weight="balanced", max_iter=500)
    head.fit(rows[read], truth[read])
    return float(roc_auc_score(truth[hidden], head.decision_function(rows[hidden])))


def one_of_each(patients: npt.NDArray[np.str_], rng: np.random.Generator) -> IndexArray:
    """Index of one film of each patient, at random."""
    order = rng.permutation(patients.size)
    return order[np.unique(patients[order], return_index=True)[1]]


def films_for(curve: FloatArray, auc: float) -> str:
    """Films at which a rising curve reaches an AUC, between the sizes by straight lines over the logarithm."""
    rising = np.maximum.accumulate(curve)
    if auc > rising[-1]:
        return f"more than {SIZES[-1]}"
    if auc <= rising[0]:
        return f"{SIZES[0]} or fewer"
    return f"{np.exp(np.interp(auc, rising, np.log(SIZES))):.0f}"


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(run: Path, folder: Path) -> None:
    """Print AUC by films read, and films needed for an AUC."""
    with (folder / "films.csv").open(newline="", encoding="utf-8") as file:
        table = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    with Journal(run, read_only=True) as journal:
        model, threshold = stored_model(journal), stored_info(journal).threshold
        films = [film for film in embedded_films(journal) if table[film.film.result.name]["radiologist"]]
    embeddings = scale(root(np.stack([film.embedding for film in films])).astype(np.float64))
    rows = PCA(_N_COMPONENTS, random_state=0).fit_transform(embeddings)  # keeps distances, and is quick to learn from
    features = embedded_features([film.film.result for film in films], model)
    log_odds = np.array([log_odds_of(film.film.result.prob_pneumonia or 0.0) for film in films])
    truth = np.array([table[film.film.result.name]["radiologist"] == "opacity" for film in films])
    patients = np.array([table[film.film.result.name]["patient"] for film in films])
    assert features is not None
    ways: dict[str, Callable[[IndexArray, int], IndexArray]] = {
        "random": lambda pool, seed: np.random.default_rng(seed).permutation(pool)[: SIZES[-1]],
        "queue": lambda pool, seed: pool[
            choose_films(log_odds[pool], features[pool], log_odds_of(threshold), SIZES[-1], seed=seed)
        ],
    }
    aucs = {way: np.zeros((N_DRAWS, len(SIZES))) for way in ways}
    for seed in range(N_DRAWS):
        rng = np.random.default_rng(seed)
        names = rng.permutation(np.unique(patients))
        is_hidden = np.isin(patients, names[: len(names) // 2])
        hidden, rest = np.flatnonzero(is_hidden), np.flatnonzero(~is_hidden)
        pool = rest[one_of_each(patients[rest], rng)]
        for way, choose in ways.items():
            order = choose(pool, seed)
            aucs[way][seed] = [learnt_auc(rows, truth, order[:size], hidden) for size in SIZES]
    as_is = roc_auc_score(truth, log_odds)
    click.echo(f"{len(films)} films, {truth.mean():.0%} with an opacity; the bundle as it is: AUC {as_is:.3f}")
    click.echo(f"{'films read':12}" + "".join(f"{size:>16}" for size in SIZES))
    for way, found in aucs.items():
        cells = "".join(
            f"{f'{mean:.3f} +- {sd:.3f}':>16}" for mean, sd in zip(found.mean(0), found.std(0), strict=True)
        )
        click.echo(f"{way:12}{cells}")
    gain = aucs["queue"] - aucs["random"]
    error = gain.std(axis=0, ddof=1) / N_DRAWS**0.5
    cells = "".join(f"{f'{mean:+.3f} +- {sd:.3f}':>16}" for mean, sd in zip(gain.mean(0), error, strict=True))
    click.echo(f"{'gain, SE':12}{cells}")
    for size, auc in zip(SIZES, aucs["random"].mean(axis=0), strict=True):
        click.echo(f"AUC {auc:.3f}: random {size}, queue {films_for(aucs['queue'].mean(axis=0), auc)}")


if __name__ == "__main__":
    main()
