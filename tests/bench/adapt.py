"""What so many labelled films bring: draws of films, adapted to, and measured on the films of all other patients.

    cxrscan run FILMS --model PARENT -o RUN
    python -m tests.bench.adapt RUN LABELS.csv [--n 50,100,200,400] [--draws 20] [--natural] [--rung head]
    python -m tests.bench.adapt RUN LABELS.csv --part view=AP --share 0.8      how often does it refuse?
    python -m tests.bench.adapt RUN LABELS.csv --n 400 --draws 3 --fine-tune --log figures.jsonl

With ``--validation-run RUN``, a labelled run of the parent over the films that it was validated on, three more columns
tell what becomes of these. With ``--log`` each draw is written there when it is done, and is not measured again by the
same command.

LABELS.csv has the columns path, label, patient, view and finding (``normal`` or another word). Draws hold as many films
with pneumonia as without, unless ``--natural``.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from cxrscan.scanner.evaluation.labels import load_labels
from cxrscan.scanner.metrics import auc_delong
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, ModelSpec, load_bundle, read_document, read_weights
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
from cxrscan.training.adaptation.bundle import Parent
from cxrscan.training.adaptation.films_again import Whereabouts, read_again, whereabouts
from cxrscan.training.adaptation.forgetting import remember
from cxrscan.training.adaptation.local_films import LocalFilms, read_local_films
from cxrscan.training.adaptation.measure import Measured, measure, measure_tuned
from cxrscan.training.adaptation.run import SENSITIVITY, best_of
from cxrscan.training.adaptation.rungs import PROMISE, Adapted, Rung, allowed, ladder

_COLUMNS = ("all", "normal", "other", "AP", "PA", "sens", "spec", "spec n.", "BA n.", "promise", "kept", "gain", "s")
_OLD_COLUMNS = ("old AUC", "o. sens", "o. spec")
"""Of the parent's validation films."""


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--n", "sizes", default="50,100,200,400", show_default=True)
@click.option("--draws", default=20, show_default=True)
@click.option("--natural", is_flag=True, help="Draw films as they come.")
@click.option("--rung", type=click.Choice(["threshold", "recalibration", "head"]), help="That one, gain or not.")
@click.option("--fine-tune", is_flag=True, help="Fine-tune the network in each draw, gain or not.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Keeps each draw; a line for each.")
@click.option("--validation-run", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN")
@click.option("--part", metavar="COLUMN=VALUE", help="Films of one kind alone.")
@click.option("--share", type=float, help="Draw this share of the patients instead of a number of films.")
def main(
    run: Path,
    labels: Path,
    sizes: str,
    draws: int,
    natural: bool,
    rung: Rung | None,
    fine_tune: bool,
    log: Path | None,
    validation_run: Path | None,
    part: str | None,
    share: float | None,
) -> None:
    """Print mean and worst of each figure over the draws, for each number of films."""
    with Journal(run, read_only=True) as journal:
        spec, joined = stored_model(journal), journal.join(load_labels(labels))
        films = read_local_films(journal, joined.truth, joined.rows)
        where = whereabouts(journal) if fine_tune else None
        bundle = Path(stored_info(journal).arguments.get("model") or DEFAULT_BUNDLE)
    rows = {row["path"]: row for row in csv.DictReader(labels.open())}
    told = [rows[name] for name in films.names]
    if part is not None:
        column, _, value = part.partition("=")
        kept = np.flatnonzero([row[column] == value for row in told])
        films, told = films.part(kept), [told[i] for i in kept]
    normal = np.array([row["finding"] == "normal" for row in told])
    click.echo(f"{films.n} films of {films.n_patients} people, {films.n_positive} with pneumonia")
    columns = _COLUMNS if validation_run is None else (*_COLUMNS, *_OLD_COLUMNS)
    click.echo("  n  " + " ".join(f"{column:>7}" for column in (*columns, "rungs, refused")))
    _tell("0", [_figures(films, normal, None, spec, None, 0.0)], [], len(columns))
    known = _read_log(log)
    for size in [0] if share else map(int, sizes.split(",")):
        figures, rungs = [], []
        for draw in range(draws):
            key = f"{size or share} {draw} {part or ''} {rung or ''}{' fine-tuning' if fine_tune else ''}"
            if key not in known:
                drawn, others = _draw(films, size, draw, natural=natural, share=share)
                mine, rest = films.part(drawn), films.part(others)
                started = time.perf_counter()
                if where is not None:
                    chosen, rest = _fine_tune(bundle, mine, rest, where)
                    spent_s = time.perf_counter() - started
                else:
                    with threadpool_limits(1):
                        chosen = _adapt(mine, spec, rung)
                    spent_s = time.perf_counter() - started
                adapted = chosen.adapted if chosen and (chosen.is_gain or rung or fine_tune) else None
                name = chosen.rung if chosen and chosen.is_gain else "refused"
                told_of_rest = _figures(rest, normal[others], adapted, spec, chosen, spent_s)
                known[key] = name, told_of_rest + _remembered(validation_run, spec, chosen)
                if log is not None:
                    with log.open("a") as file:
                        file.write(json.dumps([key, *known[key]]) + "\n")
            rungs.append(known[key][0])
            figures.append(known[key][1])
        _tell(str(size or share), figures, rungs, len(columns))


def _read_log(log: Path | None) -> dict[str, tuple[str, list[float]]]:
    """Draws that have been measured."""
    lines = log.read_text().splitlines() if log and log.exists() else []
    return {key: (rung, figures) for key, rung, figures in map(json.loads, lines)}


def _fine_tune(bundle: Path, mine: LocalFilms, rest: LocalFilms, where: Whereabouts) -> tuple[Measured, LocalFilms]:
    """Fine-tune on some films; the others with the log-odds that the new network gives them."""
    from cxrscan.training.adaptation.fine_tune import fine_tune
    from cxrscan.training.export import run_graph

    parent = Parent(load_bundle(bundle), read_document(bundle), read_weights(bundle))
    without_gate = replace(parent, spec=replace(parent.spec, gate=None))  # none of the figures is of it
    tuned = fine_tune(without_gate, mine, read_again(mine, where, parent.spec))
    measured = measure_tuned(tuned, mine, parent.spec, "youden", SENSITIVITY)
    said = run_graph(tuned.graph, read_again(rest, where, parent.spec))
    return measured, replace(rest, log_odds=said.logits.astype(np.float64), embeddings=said.embeddings)


def _adapt(films: LocalFilms, spec: ModelSpec, rung: Rung | None) -> Measured | None:
    rungs = (rung,) if rung else allowed(ladder(films))
    return best_of([measure(each, films, spec, "youden", SENSITIVITY) for each in rungs]) if rungs else None


def _draw(
    films: LocalFilms, size: int, seed: int, *, natural: bool, share: float | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Films to adapt to, and films of other patients."""
    names = np.random.default_rng(seed).permutation(np.unique(films.patients))
    place = {name: i for i, name in enumerate(names)}
    order = np.array(sorted(range(films.n), key=lambda i: place[films.patients[i]]))
    if share is not None:
        drawn = order[[place[films.patients[i]] < share * len(names) for i in order]]
    elif natural:
        drawn = order[:size]
    else:
        ill = films.truth[order]
        drawn = np.concatenate([order[ill][: size // 2], order[~ill][: size - size // 2]])
    return drawn, np.flatnonzero(~np.isin(films.patients, films.patients[drawn]))


def _figures(
    films: LocalFilms,
    normal: npt.NDArray[np.bool_],
    adapted: Adapted | None,
    spec: ModelSpec,
    chosen: Measured | None,
    spent_s: float,
) -> list[float]:
    truth = films.truth
    prob = adapted.prob(films) if adapted else np.array([spec.probability(each) for each in films.log_odds])
    points = adapted.points if adapted else spec.operating_points
    called = prob >= points["youden" if adapted else spec.default_operating_point].threshold
    views = np.array([str(each.get("view", "")) for each in films.circumstances])
    parts = [np.ones(films.n, np.bool_), truth | normal, truth | ~normal, views == "AP", views == "PA"]
    aucs = [auc_delong(truth[each], prob[each]).value if each.any() else None for each in parts]
    sensitivity, of_normal = called[truth].mean(), (~called)[normal].mean() if normal.any() else np.nan
    figures = [*(np.nan if auc is None else auc for auc in aucs), sensitivity, (~called)[~truth].mean(), of_normal]
    figures.append((sensitivity + of_normal) / 2)
    if adapted and PROMISE in points:
        found = float((prob[truth] >= points[PROMISE].threshold).mean())
        figures += [found, float(found >= SENSITIVITY)]
    else:
        figures += [np.nan, np.nan]
    return [*map(float, figures), np.nan if chosen is None else float(chosen.gain.value or 0.0), spent_s]


def _remembered(run: Path | None, spec: ModelSpec, chosen: Measured | None) -> list[float]:
    """What becomes of the parent's validation films: AUC, sensitivity and specificity, gain or not."""
    if run is None or chosen is None:
        return []
    after = remember(run, spec, chosen).after
    return [float(after[key].value or 0.0) for key in ("auc", "sensitivity", "specificity")]


def _tell(name: str, figures: list[list[float]], rungs: list[str], n_columns: int) -> None:
    known = [values or [np.nan] for values in _known(figures, n_columns)]
    means, worst = ([float(of(values)) for values in known] for of in (np.mean, np.min))
    counted = ", ".join(f"{rung} {rungs.count(rung)}" for rung in dict.fromkeys(rungs))
    click.echo(f"{name:>5}" + " ".join(f"{mean:7.3f}" for mean in means) + f" {counted}")
    if len(figures) > 1:
        click.echo("worst" + " ".join(f"{least:7.3f}" for least in worst))


def _known(figures: list[list[float]], n_columns: int) -> Iterator[list[float]]:
    """What is known of each column; draws of a log may have been measured with or without a validation run."""
    for column in list(zip_longest(*figures, fillvalue=np.nan))[:n_columns]:
        yield [value for value in column if not np.isnan(value)]


if __name__ == "__main__":
    main()
