"""``cxrscan train``: make a model bundle."""

from __future__ import annotations

import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxrscan.scanner.cli import options
from cxrscan.scanner.errors import TrainingError
from cxrscan.scanner.system.memory import keep_freed_memory
from cxrscan.scanner.system.quiet import import_tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxrscan.training.run import TrainResult

_folder = options.LocalPath(exists=True, file_okay=False, path_type=Path)


def parse_settings(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, Any]:
    """``("augment.zoom=0.2",)`` -> settings with TOML values; a bare word is a string."""
    settings: dict[str, Any] = {}
    for text in value:
        key, equals, literal = text.partition("=")
        if not key or not equals:
            raise click.BadParameter("give KEY=VALUE, for example augment.zoom=0.2")
        try:
            settings[key] = tomllib.loads(f"value = {literal}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key] = literal
    return settings


@click.command(short_help="Train a model and write its bundle.")
@click.argument("data", nargs=-1, required=True, metavar="[NAME=]DATA...")
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    default=Path("cxrscan-model"),
    show_default=True,
    help="Folder for the bundle.",
)
@click.option(
    "--also", multiple=True, type=_folder, metavar="DIR", help="Other versions of the same films, by file name."
)
@click.option(
    "--patients",
    type=options.LocalPath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Table with the columns path and patient; without, file names or DICOM headers tell the patient.",
)
@click.option(
    "--config",
    metavar="NAME|FILE.toml",
    help="Settings: `robust`, `lungs`, `settled`, `taught` or a file; without: the plain recipe.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    type=_folder,
    metavar="BUNDLE",
    help="Bundle whose answers are a target too, with `--config taught`; may be repeated.",
)
@click.option("--weights", metavar="imagenet|FILE|none", help="Initial weights.")
@click.option("--epochs", type=int, help="Passes over the films; default: 12.")
@click.option("--batch-size", type=int, help="Films per step; default: 32.")
@click.option("--learning-rate", type=float, help="Of Adam; default: 1e-4.")
@click.option("--validation-fraction", type=float, help="Share held out, whole patients at a time; default: 0.16.")
@click.option("--seed", type=int, help="Seed of everything but the split.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_settings,
    help="Any other setting of training/config.py, for example augment.zoom=0.2; may be repeated.",
)
@click.option("--test", type=_folder, help="Scan these labelled films with the new bundle; default: DATA/test.")
@click.option("--allow-leak", is_flag=True, help="Go on when test films lie among the training films.")
@click.option(
    "--resume/--fresh",
    default=True,
    help="Continue what was stopped in the output folder, or start over.",
)
@click.option("--force", is_flag=True, help="Replace a bundle that is in the output folder.")
@click.option("--name", default="", help="Name of the bundle in tables and reports; default: that of its folder.")
@click.option("--keep-keras", is_flag=True, help="Also write model.keras.")
@options.quiet
def train(
    data: tuple[str, ...],
    output: Path,
    also: tuple[Path, ...],
    patients: Path | None,
    config: str | None,
    settings: dict[str, Any],
    test: Path | None,
    allow_leak: bool,
    resume: bool,
    force: bool,
    name: str,
    keep_keras: bool,
    quiet: bool,
    teachers: tuple[Path, ...],
    **shortcuts: Any,
) -> None:
    """Train on DATA and write a bundle.

    DATA is a folder with class folders NORMAL and PNEUMONIA (or with train/, which holds them), or a CSV file with the
    columns path and label; docs/training-data.md names the others. Several may be given, with a name for whom each
    shows.

    Patients are split between training and validation; thresholds are chosen on the validation films. A `val/`
    folder is not used: the dataset's own holds 16 films.

    \b
    cxrscan train chest_xray/ -o my-model
    cxrscan train chest_xray/ -o my-model --config robust
    cxrscan train children=chest_xray/ adults=adults.csv -o my-model
    cxrscan train chest_xray/ -o pupil --config taught --teacher model-1 --teacher model-2
    cxrscan run films/ --model my-model
    """
    keep_freed_memory()
    try:
        import_tensorflow()
    except ImportError as error:
        raise TrainingError("extra-missing", "Training needs TensorFlow, the extra `train`.") from error
    from cxrscan.training.config import load_config
    from cxrscan.training.dataset import parse_data_set
    from cxrscan.training.run import train as train_bundle

    chosen = {name: value for name, value in shortcuts.items() if value is not None}
    chosen |= {"teachers": [str(each) for each in teachers]} if teachers else {}
    data_sets = [parse_data_set(text) for text in data]
    if test is None:
        test = next((each.path / "test" for each in data_sets if (each.path / "test").is_dir()), None)
    with _Bar(quiet=quiet) as bar, _told_how_to_continue():
        result = train_bundle(
            data_sets,
            output,
            load_config(config, {**settings, **chosen}),
            also=also,
            patients=patients,
            test=test,
            allow_leak=allow_leak,
            resume=resume,
            force=force,
            name=name,
            keep_keras=keep_keras,
            say=_silent if quiet else bar.say,
            progress=bar.show,
        )
    if not quiet:
        click.echo(_sentence(result), err=True)
    if test is not None:
        _measure(output, test, quiet=quiet)


@contextmanager
def _told_how_to_continue() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped; the same command continues after the last whole epoch.", err=True)
        raise


def _measure(bundle: Path, test: Path, *, quiet: bool) -> None:
    """Scan the test films with the very commands that a user has, and print the figures."""
    from cxrscan.scanner.cli.evaluate import evaluate
    from cxrscan.scanner.cli.run import run

    folder, hush = str(bundle / "test"), ["-q"] if quiet else []
    scan = [str(test), "-o", folder, "--model", str(bundle), "--labels", "folders", "--fresh"]
    run.main([*scan, *hush], standalone_mode=False)
    evaluate.main([folder, *hush], standalone_mode=False)


_FEW = 100
"""Validation films of a class below which a sensitivity or specificity is hardly known."""


def _sentence(result: TrainResult) -> str:
    """What came of it, for people."""
    from cxrscan.scanner.system.text import count, duration_text

    n_positive = result.n_validation_positive
    n_fewer = min(n_positive, result.n_validation - n_positive)
    few = (
        f"Only {n_fewer} of the {result.n_validation:,} validation films are of the rarer class: the ranges are wide, "
        "and differences within them say nothing.\n"
    )
    return (
        f"Trained on {count(result.n_train, 'film')} in {duration_text(result.duration_s)}. "
        f"{count(result.n_validation, 'validation film')} at `{result.evaluation.default_operating_point}`:\n"
        f"{_figures(result)}{few if n_fewer < _FEW else ''}"
        f"Bundle   {result.folder}\nScan with cxrscan run FILMS --model {result.folder}"
    )


def _figures(result: TrainResult) -> str:
    """One line for each set of validation films of both classes."""
    from cxrscan.reports.wording import set_title, with_interval

    titles = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
    return "".join(
        f"{set_title(name):24} "
        + ", ".join(f"{title} {with_interval(key, figures[key])}" for key, title in titles.items())
        + "\n"
        for name, figures in result.evaluation.validation.items()
        if figures.keys() >= titles.keys()
    )


def _silent(message: str) -> None:
    """Say nothing."""


class _Bar:
    """One progress bar for each epoch, on stderr where that is a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._disable = True if quiet else None
        self._epoch = 0
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, epoch: int, n_seen: int, n_films: int, metrics: dict[str, float]) -> None:
        """Draw how far an epoch is."""
        from tqdm import tqdm

        if epoch != self._epoch:
            self.__exit__()
            self._epoch = epoch
            self._bar = tqdm(total=n_films, desc=f"epoch {epoch}", unit=" films", disable=self._disable)
        self._bar.set_postfix(
            {name: f"{metrics[name]:.3f}" for name in ("loss", "auc") if name in metrics}, refresh=False
        )
        self._bar.update(n_seen - self._bar.n)

    def say(self, message: str) -> None:
        """Print a sentence without tearing the bar."""
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)
