"""The story of a training run: find → decode → split → fit → export → evaluate → write."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import keras
import tensorflow as tf

from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.model_bundle import SPEC_NAME
from cxrscan.scanner.network.network import build_network
from cxrscan.scanner.system.text import count
from cxrscan.scanner.system.whole_files import followed
from cxrscan.training.bundle import write_bundle
from cxrscan.training.config import TrainConfig
from cxrscan.training.curves import draw_curves, write_log
from cxrscan.training.dataset import DataSet, find_all_films, load_films, read_patients
from cxrscan.training.drift_reference import add_reference
from cxrscan.training.evaluate import Evaluation, evaluate, validation_films
from cxrscan.training.export import export_graph, round_to_float16
from cxrscan.training.films import LoadedFilms
from cxrscan.training.fit import EpochLog, Progress, fit, predict_logits
from cxrscan.training.gate_statistics import add_gate
from cxrscan.training.splits import IndexArray, duplicates, find_leaks, split_by_patient, write_splits
from cxrscan.training.taught_loss import teacher_bundles

WORK_FOLDER = "training"
"""Folder inside the bundle for the log, the curves, the split and the checkpoint."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training run came to."""

    folder: Path
    evaluation: Evaluation
    logs: tuple[EpochLog, ...]
    n_train: int
    n_validation: int
    n_validation_positive: int
    duration_s: float


def train(
    data: Sequence[DataSet],
    folder: Path,
    config: TrainConfig,
    *,
    also: Sequence[Path] = (),
    patients: Path | None = None,
    test: Path | None = None,
    allow_leak: bool = False,
    resume: bool = True,
    force: bool = False,
    name: str = "",
    keep_keras: bool = False,
    say: Callable[[str], None] = lambda message: None,
    progress: Progress = lambda epoch, n_seen, n_films, metrics: None,
) -> TrainResult:
    """Train a network on folders and tables of films and write its bundle.

    Parameters
    ----------
    also
        Folders with other versions of the films of folders; see ``find_films``.
    patients
        CSV file that says whose film is whose; without, the file names do.
    test
        Folder of films that are measured later; a film that lies on both sides stops the run unless ``allow_leak``.
    resume
        Continue an interrupted run of the same settings; without a checkpoint start anew.
    force
        Replace a bundle that is in the folder.
    name
        Name of the bundle; empty for that of its folder.
    keep_keras
        Write ``model.keras`` beside the exported graph.
    say
        Told sentences for people.

    Raises
    ------
    TrainingError
        The data, the settings or the folder cannot be used.
    """
    started = time.perf_counter()
    name = _name(name, folder)  # a wrong one is told before a night's work
    if (folder / SPEC_NAME).exists() and not force:
        raise TrainingError("bundle-exists", f"{folder} holds a bundle.")
    teachers = [spec.label for spec in teacher_bundles(config)]
    cv2.setNumThreads(1)  # films are decoded and varied in threads of their own
    folder = followed(folder)
    work = folder / WORK_FOLDER
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError("output-unwritable", f"{folder} cannot be made: {error}.") from error
    loaded = load_films(find_all_films(data, also, read_patients(patients) if patients else None), config)
    for path, reason in loaded.unreadable:
        say(f"Passed over {path}: {reason}")
    if test is not None:
        _check_leaks(find_leaks(loaded, test), say if allow_leak else None)
    train_films, validation = split_by_patient(loaded, config.validation_fraction, config.split_seed)
    write_splits(work / "splits.csv", loaded, validation)
    say(_found(loaded, len(train_films), len(validation)))
    network, logs = _fit(loaded, train_films, validation, config, work, resume=resume, say=say, progress=progress)
    say("Exporting and measuring.")
    round_to_float16(network)
    graph = export_graph(network)
    evaluation = evaluate(
        graph,
        loaded,
        train_films,
        validation,
        operating_point=config.operating_point,
        prior=config.prior,
        keras_logits=predict_logits(network, validation_films(loaded, validation)[0]),
    )
    duration_s = time.perf_counter() - started
    account = _account(loaded, train_films, validation, config, logs, duration_s)
    account |= {"teachers": teachers} if teachers else {}
    write_bundle(folder, graph, evaluation, config, account, name=name)
    add_gate(folder, loaded, train_films, validation)
    add_reference(folder, [loaded.films[i] for i in validation])
    if keep_keras:
        network.save(folder / "model.keras")
    (work / "checkpoint.npz").unlink(missing_ok=True)
    return TrainResult(
        folder,
        evaluation,
        tuple(logs),
        n_train=len(train_films),
        n_validation=len(validation),
        n_validation_positive=int(loaded.truth[validation].sum()),
        duration_s=duration_s,
    )


def _name(wanted: str, folder: Path) -> str:
    """The name asked for, else that of the folder in plain characters."""
    name = wanted or re.sub(r"[^A-Za-z0-9._+-]+", "-", folder.resolve().name).lstrip("-._+")[:64] or "model"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,63}", name):
        raise TrainingError("config-invalid", "A name is up to 64 plain letters, digits, spaces and . _ ( ) + -.")
    return name


def _check_leaks(leaks: Sequence[Path], say: Callable[[str], None] | None) -> None:
    """Tell about test films among the training films, or stop."""
    if not leaks:
        return
    message = f"{len(leaks)} test films are also training films, for example {leaks[0]}."
    if say is None:
        raise TrainingError("split-leak", message)
    say(message)


def _found(loaded: LoadedFilms, n_train: int, n_validation: int) -> str:
    """Say what there is to train on."""
    n_files, n_copies = len(loaded.pixels), len(duplicates(loaded))
    parts = [count(len(loaded.films), "film") + (f" in {n_files:,} files" if n_files != len(loaded.films) else "")]
    parts += [f"{n_train:,} to train on, {n_validation:,} held out"]
    parts += [f"{count(len(loaded.unreadable), 'file')} unreadable"] if loaded.unreadable else []
    parts += [count(n_copies, "film is a copy", "films are copies") + " of another"] if n_copies else []
    return "; ".join(parts) + "."


def _fit(
    loaded: LoadedFilms,
    train_films: IndexArray,
    validation: IndexArray,
    config: TrainConfig,
    work: Path,
    *,
    resume: bool,
    say: Callable[[str], None],
    progress: Progress,
) -> tuple[keras.Model, list[EpochLog]]:
    """Build and train, on every GPU that there is; the network returned computes in float32."""

    def on_epoch(logs: list[EpochLog]) -> None:
        last = logs[-1]
        say(
            f"Epoch {last.epoch} of {config.epochs}: loss {last.loss:.3f}, validation AUC {last.val_auc:.3f}, "
            f"{last.images_per_s:.0f} films a second."
        )
        write_log(work / "log.csv", logs)
        draw_curves(work / "curves.png", logs)

    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy("mixed_float16" if config.mixed_precision else "float32")
    try:
        with tf.distribute.MirroredStrategy().scope() if tf.config.list_physical_devices("GPU") else nullcontext():
            network = build_network(config)
            logs = fit(
                network,
                loaded,
                train_films,
                validation,
                config,
                checkpoint=work / "checkpoint.npz",
                resume=resume,
                progress=progress,
                on_epoch=on_epoch,
            )
    finally:
        keras.config.set_dtype_policy("float32")
    if config.mixed_precision:
        trained = network.get_weights()
        network = build_network(config)
        network.set_weights(trained)
    return network, logs


def _account(
    loaded: LoadedFilms,
    train_films: IndexArray,
    validation: IndexArray,
    config: TrainConfig,
    logs: Sequence[EpochLog],
    duration_s: float,
) -> dict[str, Any]:
    """The JSON-ready account of data, split, duration and software."""

    def counts(population: str) -> dict[str, int]:
        sides = {"train": train_films, "validation": validation}
        mine = {side: [i for i in chosen if loaded.films[i].population == population] for side, chosen in sides.items()}
        return {
            f"n_{side}{what}": count
            for side, films in mine.items()
            for what, count in (
                ("", len(films)),
                ("_positive", int(loaded.truth[films].sum())),
                ("_patients", len({loaded.films[i].patient for i in films})),
            )
        }

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "n_train": len(train_films),
        "n_validation": len(validation),
        "n_train_patients": len({loaded.films[i].patient for i in train_films}),
        "n_validation_patients": len({loaded.films[i].patient for i in validation}),
        "n_versions": len(loaded.pixels),
        "n_train_positive": int(loaded.truth[train_films].sum()),
        "n_validation_positive": int(loaded.truth[validation].sum()),
        "populations": {name: counts(name) for name in loaded.populations if name},
        "split_seed": config.split_seed,
        "duration_s": round(duration_s),
        "images_per_s": round(sum(log.images_per_s for log in logs) / len(logs), 1),
        "versions": {
            name: version(name) for name in ("tensorflow", "keras", "ai-edge-litert", "opencv-python-headless")
        },
    }
