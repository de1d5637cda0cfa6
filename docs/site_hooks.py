"""What the site holds besides the pages of this folder: files of the project's root, and tables made of the code."""

from __future__ import annotations

import inspect
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import click
from mkdocs.structure.files import File, Files

from cxrscan.scanner.cli.configuration import setting_name, settings_of, variable_of
from cxrscan.scanner.cli.main import COMMANDS, cxrscan

ROOT = Path(__file__).parent.parent
OF_THE_PROJECT = {
    "project/model-card.md": "scanner/models/MODEL_CARD.md",
    "project/changelog.md": "CHANGELOG.md",
    "project/security.md": "SECURITY.md",
    "project/contributing.md": "CONTRIBUTING.md",
}
"""Page -> file of the repository."""
_PAGES = {name: page for page, name in OF_THE_PROJECT.items()}


def on_config(config: Any) -> None:
    """Let the examples in helps be blocks of code, on the page of commands."""
    root = click.Context(cxrscan)
    _show_examples(cxrscan)
    for name in COMMANDS:
        command = cxrscan.get_command(root, name)
        assert command is not None  # noqa: S101  # for mypy
        for _, context in _commands(click.Context(command, parent=root), name):
            _show_examples(context.command)


def _show_examples(command: click.Command) -> None:
    r"""What stands below ``\b`` keeps its lines in a terminal; in a page an indent does that."""
    text = inspect.cleandoc(command.help or "")
    command.help = re.sub(r"^\x08\n((?:.+\n?)+)", lambda found: indent(found[1], "    "), text, flags=re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add what is not in this folder."""
    for page, name in OF_THE_PROJECT.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    files.append(File.generated(config, "reference/settings.md", content=settings_page()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links of the repository lead to pages of the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(OF_THE_PROJECT.get(here, f"docs/{here}"))

    def led(link: re.Match[str]) -> str:
        path, _, anchor = link[1].partition("#")
        target = posixpath.normpath(posixpath.join(folder, path))
        uri = _PAGES.get(target, target.removeprefix("docs/"))
        return f"]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{'#' if anchor else ''}{anchor})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)\s]+)\)", led, markdown)


def settings_page() -> str:
    """A table for each command: setting, variable of the environment, default and meaning."""
    lines = [
        "# Settings",
        "",
        "Each can stand in a file or in a variable; [Keep settings in a file](../how-to/configure.md) says how.",
    ]
    root = click.Context(cxrscan, info_name="cxrscan", auto_envvar_prefix="CXRSCAN")
    for name in COMMANDS:
        command = cxrscan.get_command(root, name)
        assert command is not None  # noqa: S101  # for mypy
        for words, context in _commands(click.Context(command, info_name=name, parent=root), name):
            lines += ["", f"## [{words}]", "", "| setting | variable | default | meaning |", "|---|---|---|---|"]
            lines += [_row(option, context) for option in settings_of(context.command).values()]
    return "\n".join(lines) + "\n"


def _commands(context: click.Context, words: str) -> Iterator[tuple[str, click.Context]]:
    if not isinstance(context.command, click.Group):
        yield words, context
        return
    for name, each in context.command.commands.items():
        yield from _commands(click.Context(each, info_name=name, parent=context), f"{words}.{name}")


def _row(option: click.Option, context: click.Context) -> str:
    default = option.to_info_dict()["default"]
    shown = "" if default is None or default == () or "UNSET" in repr(default) else str(default)
    help_text = (option.help or "").replace("|", "\\|")
    return f"| `{setting_name(option)}` | `{variable_of(context, option)}` | {shown and f'`{shown}`'} | {help_text} |"
