"""Options that several sub-commands share, and how a run is told to people."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from scanner import NOTICE
from scanner.errors import CxrscanError, LabelError
from scanner.system.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reports.outputs import Embed
    from scanner.model_bundle import ModelSpec
    from scanner.records import Band, Film, Outputs, RunInfo
    from scanner.run import Tally, WriteOutputs


def parse_mapping(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """``("viral=1",)`` -> spellings and classes."""
    pairs = [text.rpartition("=") for text in value]
    if not all(spelling and label for spelling, _, label in pairs):
        raise click.BadParameter("give SPELLING=CLASS, for example bacterial=PNEUMONIA")
    return {spelling: label for spelling, _, label in pairs}


existing_path = click.Path(exists=True, path_type=Path)


class Place(click.ParamType[Any]):
    """A file or folder here, which must exist, or a URL for fsspec."""

    name = "place"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Text -> ``Path`` or ``RemotePath``."""
        if not isinstance(value, str) or "://" not in value:
            return existing_path.convert(value, parameter, context)
        from scanner.sources.remote import RemotePath

        return RemotePath(value)


run_folder = click.argument("run_folder", metavar="RUN", type=click.Path(exists=True, file_okay=False, path_type=Path))
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
        raise click.BadParameter("the band must rise, and lie between 0 and 1")
    return band


refer = click.option(
    "--refer",
    metavar="LOW-HIGH|off",
    callback=parse_band,
    help="Call films with a probability in this band REFER: a person is to read them. Off unless given.",
)


def labels(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where the truth is, as one ``labels: LabelRequest | None``."""

    @wraps(command)
    def with_request(
        *, labels: str | None, mapping: dict[str, str], path_column: str, label_column: str, **rest: Any
    ) -> Any:
        from scanner.evaluation.label_file import LabelColumns
        from scanner.evaluation.labels import LabelRequest

        columns = LabelColumns(path_column, label_column, mapping)
        return command(labels=None if labels is None else LabelRequest(labels, columns), **rest)

    for option in (
        click.option("--label-column", default="", metavar="NAME", help="Column of the label file with the class."),
        click.option(
            "--path-column", default="", metavar="NAME", help="Column of the label file with the film's name."
        ),
        click.option(
            "--map",
            "mapping",
            multiple=True,
            metavar="SPELLING=CLASS",
            callback=parse_mapping,
            help="Another spelling of a class in the label file; may be repeated.",
        ),
        click.option(
            "--labels",
            metavar="folders|FILE.csv",
            help="Truth: class folders NORMAL and PNEUMONIA, or a CSV file with the columns path,label.",
        ),
    ):
        with_request = option(with_request)
    return with_request


model = click.option(
    "--model",
    "bundle",
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Model bundle; default: the shipped one.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary on standard output.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


def outputs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``output_writer``."""
    for option in (
        click.option("--jsonl", is_flag=True, help="Also write the table as results.jsonl."),
        click.option("--parquet", is_flag=True, help="Also write the table as results.parquet (extra `parquet`)."),
        click.option(
            "--embed",
            type=click.Choice(["auto", "all", "none"]),
            default="auto",
            show_default=True,
            help="Pictures inside the report, or in thumbnails/ beside it; auto: inside up to 2,000 films or 25 MB.",
        ),
        click.option("--title", default="", help="Heading of the report."),
        click.option("--upload", metavar="URL", help="Copy the outputs, not the journal, there too: s3://bucket/run …"),
    ):
        command = option(command)
    return command


def output_writer(title: str, embed: Embed, *, upload: str | None, parquet: bool, jsonl: bool) -> WriteOutputs:
    """What renders a run, from the options of ``outputs``."""
    if parquet and find_spec("pyarrow") is None:  # better now than at the end of a long scan
        raise CxrscanError("extra-missing", "Parquet files need pyarrow, from the extra `parquet`.")
    tables = [name for name, wanted in (("parquet", parquet), ("jsonl", jsonl)) if wanted]

    def write(folder: Path, films: Callable[[], Iterable[Film]], info: RunInfo, model: ModelSpec) -> Outputs:
        from reports.outputs import write_outputs  # slow to import; see ``reports.outputs.prepare``

        return write_outputs(folder, films, info, model, title=title, embed=embed, tables=tables)

    return _uploading(write, upload) if upload else write


def _uploading(write: WriteOutputs, url: str) -> WriteOutputs:
    """Write the outputs and copy them elsewhere; the journal stays, it is no file for a bucket."""
    from scanner.runs.layout import JOURNAL_NAME
    from scanner.sources.remote import RemotePath
    from scanner.sources.remote import upload as upload_files

    target = RemotePath(url)

    def write_and_upload(folder: Path, films: Callable[[], Iterable[Film]], info: RunInfo, model: ModelSpec) -> Outputs:
        outputs = write(folder, films, info, model)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and JOURNAL_NAME not in path.name]
        upload_files(files, folder, target)
        return outputs

    return write_and_upload


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
    outputs = tally.outputs
    for sentence in (tally.sentence, *tally.info.notes):
        click.echo(printable(sentence), err=True)
    if tally.labels is not None:
        click.echo(printable(tally.labels.sentence), err=True)
    if tally.advice:
        click.echo(tally.advice, err=True)
    for name, path in {"Report": outputs.html, "Table": outputs.csv, "Manifest": outputs.json}.items():
        click.echo(printable(f"{name:8} {path}"), err=True)
    click.echo(NOTICE, err=True)


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
        "outputs": {"csv": str(outputs.csv), "html": str(outputs.html), "json": str(outputs.json)},
    }
