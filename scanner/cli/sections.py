"""Options of a command in sections, so that ``-h`` can be read."""

from __future__ import annotations

import click

from cxrscan.scanner.cli.configuration import setting_name

SECTIONS = {
    "Films": (
        *("from-file", "include", "exclude", "follow-links", "shard", "max-megapixels", "all-frames", "window"),
        *("labels", "map", "path-column", "label-column", "keep-labels", "duplicates", "group"),
    ),
    "Model": ("model", "engine", "gate"),
    "Decision": ("threshold", "refer", "study-rule", "fail-on-poor-fit"),
    "Outputs": (
        *("output", "resume", "dry-run", "title", "embed", "parquet", "jsonl", "upload", "dicom-results"),
        *("include-dicom-ids", "film-names", "no-thumbnails", "no-embeddings", "json", "quiet", "verbose"),
    ),
    "Machine": ("workers", "batch-size", "timeout", "max-memory", "executor", "scheduler", "cluster"),
}
"""Heading -> options, in the order in which they are shown."""
_OTHERS = "Others"
_PLACES = {name: (title, i) for title, names in SECTIONS.items() for i, name in enumerate(names)}


class InSections(click.Command):
    """A command whose help lists its options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list of options for each section."""
        for title in (*SECTIONS, _OTHERS):
            records = [each.get_help_record(ctx) for each in in_section(self.get_params(ctx), title)]
            if shown := [record for record in records if record is not None]:
                with formatter.section(title):
                    formatter.write_dl(shown)


def in_section(parameters: list[click.Parameter], title: str) -> list[click.Option]:
    """The options of a section, in its order; those of no section are in the last, ``Others``."""
    options = [each for each in parameters if isinstance(each, click.Option)]
    places = {each: _PLACES.get(setting_name(each), (_OTHERS, 0)) for each in options}
    return sorted((each for each in options if places[each][0] == title), key=lambda each: places[each][1])
