"""``cxrscan config``: which settings count, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from typing import Any

import click

from cxrscan.scanner.cli.configuration import give_defaults, setting_name, settings_of, source_of, words_of
from cxrscan.scanner.system.addresses import without_secrets
from cxrscan.scanner.system.text import printable


@click.group(short_help="Show the settings, and where each comes from.")
def config() -> None:
    """Settings from files, the environment and defaults; docs/how-to/configure.md tells how they are given."""


@config.command()
@click.argument("command", required=False, metavar="[COMMAND]")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def show(context: click.Context, command: str | None, as_json: bool) -> None:
    """Say the value of each setting of COMMAND, or of all commands, and where it comes from."""
    root = context.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101  # for mypy: it is `cxrscan`
    names = [command] if command else [name for name in root.command.list_commands(root) if name != "config"]
    resolved: dict[str, dict[str, dict[str, Any]]] = {}
    for name in names:
        found = root.command.get_command(root, name)
        if found is None:
            raise click.BadParameter(f"there is no command {name!r}.", param_hint="COMMAND")
        give_defaults(root, name, found)
        resolved |= dict(_commands(click.Context(found, info_name=name, parent=root)))
    if as_json:
        click.echo(json.dumps(resolved, default=str, indent=2))
        return
    for words, settings in resolved.items():
        click.echo(f"[{words}]")
        for name, said in settings.items():
            click.echo(printable(f"  {name:22} {_text(said['value']):24} {said['source']}"))


def _commands(context: click.Context) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """A command, or those of a group -> its settings."""
    if isinstance(context.command, click.Group):
        for name, each in context.command.commands.items():
            yield from _commands(click.Context(each, info_name=name, parent=context))
    else:
        yield ".".join(words_of(context)), _settings(context)


def _settings(context: click.Context) -> dict[str, dict[str, Any]]:
    return {setting_name(option): _setting(context, option) for option in settings_of(context.command).values()}


def _setting(context: click.Context, option: click.Option) -> dict[str, Any]:
    with suppress(click.MissingParameter):  # it may still be given
        option.handle_parse_result(context, {}, [])
    return {"value": _shown(context.params.get(str(option.name))), "source": source_of(context, option)}


def _shown(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_shown(each) for each in value]
    if value is None or isinstance(value, Enum):  # click's mark of what nobody gave
        return None
    return value if isinstance(value, (bool, int, float)) else without_secrets(str(value))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "-"
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value) or "-"
