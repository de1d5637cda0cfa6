"""``report.html``: one offline file, written as a stream.

The films travel as JSON in blocks; their pictures as base64 in blocks of their own, which the page decodes only
when they come into view. So ten thousand films neither fill the memory here nor delay the page there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cxrscan import templates
from cxrscan.reports.page.colour_scale import heat_text
from cxrscan.reports.page.scripts import joined_script
from cxrscan.reports.page.view import ReportView
from cxrscan.reports.tables.columns import Column
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.whole_files import replacing_text

TEMPLATES = Path(next(iter(templates.__path__)))
BLOCK = 50
"""Films per block of JSON."""
# Computed by the page itself, from the threshold that the reader chose.
_LEFT_OUT = frozenset({"prediction", "threshold", "model"})


@dataclass(frozen=True, slots=True)
class Block:
    """Some films as JSON: their rows, and the pictures that are embedded."""

    rows: Markup
    """List of rows: the columns' values, then the heat map and where the picture is: 1 embedded, a path, or 0."""
    images: Markup
    """List of base64 JPEGs, one per embedded picture."""


def write_html(
    path: Path,
    columns: Sequence[Column],
    run: Run,
    view: ReportView,
    *,
    image_paths: Sequence[str | None],
) -> None:
    """Write the report.

    Parameters
    ----------
    image_paths
        For every film where its picture lies: a path relative to the report, or None to embed it.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    style, theme_script, script = _style(), _script("theme.mjs"), _script("main.mjs")
    sent = [column for column in columns if column.name not in _LEFT_OUT]
    template = _environment().get_template("report.html")
    parts = template.generate(
        view=view,
        style=style,
        script=script,
        theme_script=theme_script,
        policy=_content_security_policy((style,), (theme_script, script), files_beside=any(image_paths)),
        config=as_json(view.config | {"block": BLOCK, "row": [*(column.name for column in sent), "heat", "image"]}),
        blocks=_blocks(sent, run, image_paths),
    )
    with replacing_text(path) as stream:
        stream.writelines(parts)


def write_plain_page(path: Path, template: str, view: Any) -> None:
    """Write a page without films and with no script but the one that sets the theme.

    Raises
    ------
    RunFolderError
        ``output-unwritable``.
    """
    style, theme_script = _style(), _script("theme.mjs")
    parts = (
        _environment()
        .get_template(template)
        .generate(
            view=view,
            style=style,
            theme_script=theme_script,
            policy=_content_security_policy((style,), (theme_script,), files_beside=False),
        )
    )
    with replacing_text(path) as stream:
        stream.writelines(parts)


def _blocks(columns: Sequence[Column], run: Run, image_paths: Sequence[str | None]) -> Iterator[Block]:
    pairs = iter(zip(run.films(), image_paths, strict=True))
    at_any_threshold = replace(run, info=replace(run.info, threshold=0.0, refer=None))  # the page decides on regions
    while some := list(islice(pairs, BLOCK)):
        rows = [
            [
                *(column.cell(film, at_any_threshold) for column in columns),
                heat_text(film.result.heat_map, run.model.heat_scale),
                (path or 1) if film.result.thumbnail else 0,
            ]
            for film, path in some
        ]
        images = [
            base64.b64encode(film.result.thumbnail).decode()
            for film, path in some
            if film.result.thumbnail and not path
        ]
        yield Block(as_json(rows), as_json(images))


def as_json(value: Any) -> Markup:
    """Write JSON that may stand in a ``<script>``: nothing in it can end the element or start a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"))


def _content_security_policy(styles: Iterable[str], scripts: Iterable[str], *, files_beside: bool) -> str:
    """Allow these very scripts and style sheets, and the page's own pictures; nothing can reach a network."""
    sources = {
        "default-src": "'none'",
        "img-src": "data: 'self' file:" if files_beside else "data:",
        "style-src": " ".join(map(_digest, styles)),
        "script-src": " ".join(map(_digest, scripts)),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in sources.items())


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _style() -> Markup:
    """Return the page's style sheet; it stands in the page as it is."""
    return Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))


def _script(entry: str) -> Markup:
    """Return a script of ours with all that it needs; it stands in the page as it is."""
    return Markup(joined_script(TEMPLATES / "scripts" / entry))


def load_templates() -> None:
    """Compile the report's templates, which takes a tenth of a second, before they are needed."""
    for name in _environment().list_templates(extensions=["html"]):
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
