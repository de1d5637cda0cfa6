"""Options that several sub-commands share, and how a run is told to people."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cxrscan.reports.tables.formats import TABLES, TableFormat
from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli.configuration import refuse_settings_beside
from cxrscan.scanner.errors import CxrscanError, LabelError
from cxrscan.scanner.records import POSITIVE
from cxrscan.scanner.system.addresses import is_address
from cxrscan.scanner.system.text import count, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxrscan.reports.outputs import Embed
    from cxrscan.scanner.evaluation.agreement import Opinion
    from cxrscan.scanner.evaluation.changes import Earlier
    from cxrscan.scanner.evaluation.drift import Drift
    from cxrscan.scanner.evaluation.evaluate import Evaluation
    from cxrscan.scanner.evaluation.labels import LabelRequest, Labels
    from cxrscan.scanner.records import Band, Film, Outputs, RunInfo, StudySummary
    from cxrscan.scanner.render import Tally
    from cxrscan.scanner.run_record import Run


Options = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Gives a command options."""


def as_one(name: str, make: Callable[..., Any], *options: Options) -> Options:
    """Give a command options that reach it as one argument: what ``make`` makes of their values."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names: list[str] = []
        gathering = _gathering(command, name, make, names)
        n_others = len(getattr(gathering, "__click_params__", ()))
        for give in reversed(options):  # as decorators do, the one that is written last comes first
            give(gathering)
        names += [option.name for option in gathering.__click_params__[n_others:]]  # type: ignore[attr-defined]
        return gathering

    return decorate


def gathered(name: str, make: Callable[..., Any]) -> Options:
    """Let those of a command's options that ``make`` takes reach the command as one argument: what it makes of them."""
    return lambda command: _gathering(command, name, make, list(signature(make).parameters))


def _gathering(
    command: Callable[..., Any], name: str, make: Callable[..., Any], names: list[str]
) -> Callable[..., Any]:
    @wraps(command)
    def with_one(**values: Any) -> Any:
        own = {option: values.pop(option) for option in names}
        return command(**values, **{name: make(**own)})

    return with_one


def parse_mapping(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """``("viral=1",)`` -> spellings and classes."""
    pairs = [text.rpartition("=") for text in value]
    if not all(spelling and label for spelling, _, label in pairs):
        raise click.BadParameter("give SPELLING=CLASS, for example bacterial=PNEUMONIA")
    return {spelling: label for spelling, _, label in pairs}


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic from click 8.4 on


_HOW = "Type the command up to here, drag the folder or file into this window, and press Enter."


def _meant(text: str) -> str:
    """The existing path that is meant by one with a stray quote, an escaped blank or an unread ``~``; else nothing."""
    bare = text.strip().strip("'\"")
    for way in (bare, re.sub(r"\\(.)", r"\1", bare)):
        path = os.path.expanduser(way)  # noqa: PTH111  # a text is wanted, as it was typed
        if path != text and path and Path(path).exists():
            return path
    return ""


class LocalPath(click.Path):
    """A path of this computer; refuses addresses without repeating them, because they may hold secrets."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Text -> what ``click.Path`` makes of it."""
        if is_address(str(value)):
            self.fail("an address cannot be given here, only a path of this computer.", parameter, context)
        try:
            path = super().convert(value, parameter, context)
        except click.BadParameter as error:
            meant = _meant(os.fspath(value))
            self.fail(f"{error.message} {f'Did you mean {shlex.quote(meant)}?' if meant else _HOW}", parameter, context)
        if isinstance(parameter, click.Argument):
            refuse_settings_beside(Path(os.fsdecode(path)), context)
        return path


class Bundle(LocalPath):
    """A folder that holds a bundle, or the name of one that was added; a name goes before a folder called so."""

    name = "bundle"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Text -> path."""
        path = super().convert(value, parameter, context)
        from cxrscan.scanner.bundles.shelf import bundle_folder

        return bundle_folder(value) if isinstance(value, str) else path


existing_path = LocalPath(exists=True, path_type=Path)


class Window(_ParamType):
    """Which of a DICOM film's windows: a number from 1, or ``none``."""

    name = "window"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Text -> number or ``none``."""
        return "none" if value == "none" else click.IntRange(min=1).convert(value, parameter, context)


def _address_of_archive(path: Path) -> str:
    from cxrscan.scanner.sources.archives import address_of_archive

    return address_of_archive(path)


class Place(_ParamType):
    """A file, folder or archive here, which must exist, or a URL."""

    name = "place"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Text -> ``Path``, ``RemotePath`` or ``WebArchive``."""
        if not isinstance(value, str) or "://" not in value:
            path = existing_path.convert(value, parameter, context)
            if path.is_dir() or not (value := _address_of_archive(path)):
                return path
        from cxrscan.scanner.sources.walk import remote_place

        return remote_place(value)


run_folder = click.argument("run_folder", metavar="RUN", type=LocalPath(exists=True, file_okay=False, path_type=Path))
threshold = click.option(
    "--threshold",
    metavar="NAME|X",
    help="Operating point (see `cxrscan model info`) or a probability from 0 to 1.",
)


def parse_band(context: click.Context, parameter: click.Parameter, value: str | None) -> Band | Literal["off"] | None:
    """``0.4-0.6`` -> (0.4, 0.6)."""
    if value is None or value == "off":
        return value  # type: ignore[return-value]  # a literal, as mypy cannot know
    low, _, high = value.partition("-")
    try:
        band = float(low), float(high)
    except ValueError:
        raise click.BadParameter("give LOW-HIGH, for example 0.4-0.6, or off") from None
    if not 0 <= band[0] <= band[1] <= 1:
        raise click.BadParameter("Give two probabilities, the lower one first: --refer 0.3-0.7")
    return band


refer = click.option(
    "--refer",
    metavar="LOW-HIGH|off",
    callback=parse_band,
    help="Mark films in this probability band REFER (needs a reader) instead of PNEUMONIA or NORMAL.",
)


def label_request(
    labels: str | None, mapping: dict[str, str], path_column: str, label_column: str
) -> LabelRequest | None:
    """Where the truth is, from the options of ``labels``."""
    if labels is None:
        return None
    from cxrscan.scanner.evaluation.label_file import LabelColumns
    from cxrscan.scanner.evaluation.labels import FOLDERS, LabelRequest

    source = labels if labels == FOLDERS else str(Path(labels).absolute())
    return LabelRequest(source, LabelColumns(path_column, label_column, mapping))


def parse_group(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """What makes studies, as columns of a label file are called: in lower case."""
    if value is not None and not value.strip():
        raise click.BadParameter("give dicom, folder, a column of the label file, or off")
    return None if value is None else value.strip().casefold()


group = click.option(
    "--group",
    metavar="dicom|folder|COLUMN|off",
    callback=parse_group,
    help="Also tell of studies, in studies.csv and the report: films with one identifier, in one folder, or with one "
    "cell in a column of the label file.",
)
study_rule = click.option(
    "--study-rule",
    type=click.Choice(["highest", "mean", "view"]),
    help="Probability of a study: the highest or the mean of its films, or the mean of those in its best view "
    "(PA, AP, not stated, others); default: highest.",
)


duplicates = click.option(
    "--duplicates",
    type=click.Choice(["keep", "first"]),
    help="Whether files that are copies of another, byte by byte, count in figures, or the first alone, "
    "which then alone keeps its label; default: keep.",
)


labels = as_one(
    "labels",
    label_request,
    click.option(
        "--labels",
        metavar="folders|FILE.csv",
        help="Truth: class folders NORMAL and PNEUMONIA, or a CSV file with the columns path,label.",
    ),
    click.option(
        "--map",
        "mapping",
        multiple=True,
        metavar="SPELLING=CLASS",
        callback=parse_mapping,
        help="Another spelling of a class in the label file; may be repeated.",
    ),
    click.option("--path-column", default="", metavar="NAME", help="Column of the label file with the film's name."),
    click.option("--label-column", default="", metavar="NAME", help="Column of the label file with the class."),
)
verdicts = click.option(
    "--verdicts",
    type=LocalPath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Truth: verdicts that readers gave in the report or the viewer; those who were unsure gave none.",
)


def reader_labels(run_folder: Path, verdicts: Path) -> Labels:
    """Labels from a sheet of verdicts."""
    from cxrscan.scanner.evaluation.labels import ReaderLabels
    from cxrscan.scanner.records import NEGATIVE, POSITIVE
    from cxrscan.scanner.runs.journal import Journal
    from cxrscan.scanner.viewer.verdicts import read_verdicts

    classes = {"pneumonia": POSITIVE, "no-pneumonia": NEGATIVE}
    with Journal(run_folder, read_only=True) as journal:
        said = read_verdicts(verdicts, journal.films())
    truth = {name: classes[each.verdict] for name, each in said.items() if each.verdict in classes}
    if not truth:
        raise LabelError(
            "verdicts-none", f"{verdicts.name} says of no film of {run_folder} whether it shows pneumonia."
        )
    return ReaderLabels(verdicts.name, truth)


model = click.option(
    "--model",
    "bundle",
    type=Bundle(path_type=Path),
    metavar="BUNDLE",
    help="Folder of a model bundle, or a name of `cxrscan model list`; default: the shipped one.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary on standard output.")
patients = click.option(
    "--patients",
    type=LocalPath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Table with the columns path and patient: whose film is whose.",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


@dataclass(frozen=True, slots=True)
class OutputWriter:
    """Renders a run as the options of ``outputs`` ask for; travels to other processes."""

    upload: str | None
    title: str
    embed: Embed
    tables: tuple[str, ...]
    opinions: tuple[Opinion, ...] = ()
    """What readers say of the films."""
    earlier: Earlier | None = None
    """What is told of is what changed since."""

    def __call__(
        self, folder: Path, run: Run, *, evaluation: Evaluation | None = None, drift: Drift | None = None
    ) -> Outputs:
        """Write the outputs, and copy them elsewhere where that is asked for."""
        from cxrscan.reports.outputs import write_outputs  # slow to import; see ``cxrscan.reports.outputs.prepare``

        outputs = write_outputs(
            folder,
            run,
            title=self.title,
            embed=self.embed,
            tables=self.tables,
            evaluation=evaluation,
            drift=drift,
            opinions=self.opinions,
            earlier=self.earlier,
        )
        if self.upload:  # no patient's name, and no journal: it is no file for a bucket
            from cxrscan.scanner.sources.remote import RemotePath, upload

            upload(outputs.files, folder, RemotePath(self.upload))
        return outputs


def output_writer(upload: str | None, title: str, embed: Embed, **wanted: bool) -> OutputWriter:
    """What renders a run, from the options of ``outputs``."""
    tables = [table for table in TABLES if wanted.get(table.name)]
    for table in tables:
        table.refuse_if_unable()
    if upload:
        from cxrscan.scanner.sources.remote import RemotePath

        RemotePath(upload)  # refuses what is no place for outputs
    return OutputWriter(upload, title, embed, tuple(table.name for table in tables))


def _table_option(table: TableFormat) -> Options:
    needs = f" (extra `{table.extra}`)" if table.extra else ""
    return click.option(f"--{table.name}", is_flag=True, help=f"Also write the table as results.{table.name}{needs}.")


outputs = as_one(
    "write_outputs",
    output_writer,
    click.option("--upload", metavar="URL", help="Copy what is written, not the journal, there too: s3://bucket/run …"),
    click.option("--title", default="", help="Heading of the report."),
    click.option(
        "--embed",
        type=click.Choice(["auto", "all", "none"]),
        default="auto",
        show_default=True,
        help="Pictures inside the report, or in thumbnails/ beside it; auto: inside up to 2,000 films or 25 MB.",
    ),
    *(_table_option(table) for table in TABLES if not table.always),
)


def error_text(error: CxrscanError) -> str:
    """An error as people are told it: what is wrong, its code, what to do."""
    return f"cxrscan: {printable(error.message)} [{error.code}]\n  {error.hint}"


def tell(tally: Tally, *, as_json: bool, quiet: bool) -> None:
    """Close a command: counts and places of the outputs to stderr, or JSON to stdout."""
    if as_json:
        click.echo(json.dumps(summary(tally)))
    if tally.labels is not None and tally.labels.misfit:
        click.echo(error_text(LabelError("labels-unmatched", tally.labels.misfit)), err=True)
    if quiet:
        return
    from cxrscan.scanner.evaluation.fit import fit_sentence

    outputs, info = tally.outputs, tally.info
    told_first = fit_sentence(outputs.fit)
    sentences = [
        *([told_first] if told_first else []),
        *(_answer(film, info) for film in outputs.films),
        tally.sentence,
        *info.notes,
    ]
    sentences += [tally.labels.sentence] if tally.labels is not None else []
    sentences += [_figures(tally)] if outputs.figures else []
    sentences += [_studies(outputs.studies)] if outputs.studies is not None else []
    sentences += [tally.advice] if tally.advice else []
    sentences += [_pictures(outputs)] if _n_pictures(outputs) else []
    sentences += ["Run the same command again to continue."] if info.exit_reason != "finished" else []
    for sentence in sentences:
        click.echo(printable(sentence), err=True)
    for name, path in {"Report": outputs.html, "Table": outputs.csv, "Manifest": outputs.json}.items():
        click.echo(printable(f"{name:8} {path}"), err=True)
    click.echo(NOTICE, err=True)


def _answer(film: Film, info: RunInfo) -> str:
    """What came of one film, in a line."""
    from cxrscan.reports.wording import film_probability_text
    from cxrscan.scanner.decision import prediction

    result = film.result
    if result.failure is not None:
        return f"        failed: {result.failure.message}  {result.name}"
    if result.status == "rejected" or result.prob_pneumonia is None:
        return f"        rejected: {', '.join(result.gate_reasons)}  {result.name}"
    called = prediction(result, info.threshold, info.refer)
    caveat = f" (caveat: {', '.join(result.gate_reasons)})" if result.gate_reasons else ""
    return f"{film_probability_text(result.prob_pneumonia):>6}  {called}{caveat}  {result.name}"


def _n_pictures(outputs: Outputs) -> int:
    """How many pictures lie beside the report."""
    return sum(path.parent != outputs.html.parent for path in outputs.others)


def _pictures(outputs: Outputs) -> str:
    """How the report is passed on when it does not hold all its pictures."""
    pictures = count(_n_pictures(outputs), "picture of the report lies", "pictures of the report lie")
    return f"{pictures} beside it: pass the folder on as a whole, or put all into the page with --embed all."


def _figures(tally: Tally) -> str:
    """Sensitivity and specificity, and of how many films."""
    from cxrscan.reports.wording import title_of, with_interval

    figures, n_referred = tally.outputs.figures, tally.counts.n_referred
    told = ", ".join(f"{title_of(key)} {with_interval(key, figures[key])}" for key in ("sensitivity", "specificity"))
    return f"{told}; {n_referred:,} referred films left out." if n_referred else f"{told}."


def _studies(studies: StudySummary) -> str:
    """What came of the studies, in a line."""
    from cxrscan.reports.wording import title_of, with_interval

    figures = studies.figures
    told = [f"{title_of(key)} {with_interval(key, figures[key])}" for key in ("sensitivity", "specificity") if figures]
    return (
        "; ".join(
            [
                f"{count(studies.n_studies, 'study', 'studies')} ({studies.rule} probability), "
                f"{studies.n_positive:,} called {POSITIVE}",
                *told,
            ]
        )
        + "."
    )


def summary(tally: Tally) -> dict[str, Any]:
    """The machine-readable summary of a run."""
    outputs = tally.outputs
    return {
        **asdict(tally.counts),
        "n_skipped": sum(tally.info.n_skipped.values()),
        "exit_reason": tally.info.exit_reason,
        "exit_code": tally.exit_code,
        "threshold": tally.info.threshold,
        "duration_s": tally.info.duration_s,
        "n_new": tally.n_new,
        "fit": outputs.fit and outputs.fit.level,
        "failures": dict(outputs.failures),
        "figures": {key: asdict(figure) for key, figure in outputs.figures.items()},
        "studies": outputs.studies and asdict(outputs.studies),
        "outputs": {"csv": str(outputs.csv), "html": str(outputs.html), "json": str(outputs.json)},
    }
