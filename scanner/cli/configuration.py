"""Settings of commands that stand in files; what is read here becomes click's ``default_map``.

Click itself reads the environment (``CXRSCAN_RUN_WORKERS``) and the command line, which go before it.
A file that merely lies in the current folder may come from a stranger, as films do: it is told of, and may neither send
data away, nor name what lies elsewhere, nor have anything replaced. One that the user names may do all that.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.system.text import printable

FILE_NAME = "cxrscan.toml"
PROJECT_NAME = "pyproject.toml"
_MAX_BYTES = 1 << 20
_ONLY_WHEN_NAMED = frozenset(
    {
        *("all-objects", "allow", "bind", "cluster", "delete-films", "films", "follow-links", "force"),
        *("include-dicom-ids", "index", "keep-days", "max-memory", "resume", "scheduler", "status-bind", "stow"),
        *("tls", "tls-ca", "tls-cert", "tls-key", "to", "to-tls", "upload", "weights", "yes"),
    }
)
"""Settings by which data leave the computer, others get in, something is replaced, or more is read or trusted."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The tables of one file, ``{"run": {"workers": 4}}``."""

    name: str
    tables: dict[str, Any]
    is_named: bool
    """Whether the user named the file, or it was found in the current folder."""

    def defaults(self, command: click.Command, words: tuple[str, ...]) -> dict[str, Any]:
        """What the file says of a command: click's names of its parameters -> values.

        Parameters
        ----------
        words
            How the command is called: ``("model", "info")``.

        Raises
        ------
        CxrscanError
            ``config-unknown``, ``config-unreadable`` or ``config-unnamed``.
        """
        table: Any = self.tables
        for word in words:
            table = self._table(table.get(word, {}), word)
        return self._defaults(command, table, ".".join(words))

    def _defaults(self, command: click.Command, table: dict[str, Any], where: str) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        known: Mapping[str, click.Command | click.Option] = (
            command.commands if isinstance(command, click.Group) else settings_of(command)
        )
        for key, value in table.items():
            found = known.get(key.replace("_", "-"))
            if found is None:
                raise self._unknown(f"[{where}] has no setting {key!r}", key, known)
            if isinstance(found, click.Command):
                taken[str(found.name)] = self._defaults(found, self._table(value, key), f"{where}.{key}")
            else:
                taken[str(found.name)] = self._checked(found, value, f"[{where}] {key}")
        return taken

    def refuse_unknown(self, commands: Collection[str]) -> None:
        """Refuse tables that are no command's."""
        for word in self.tables:
            if word not in commands:
                raise self._unknown(f"there is no command {word!r}", word, commands)

    def _unknown(self, what: str, key: str, known: Collection[str]) -> CxrscanError:
        from difflib import get_close_matches

        near = get_close_matches(key.replace("_", "-"), known, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else "."
        return CxrscanError("config-unknown", f"{self.name}: {printable(what)[:200]}{guess}")

    def _table(self, value: Any, word: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise CxrscanError("config-unreadable", f"{self.name}: {printable(word)[:100]} must be a table, [{word}].")
        return value

    def _checked(self, option: click.Option, value: Any, where: str) -> Any:
        """A value in the form that its option takes; its content is click's affair."""
        values = value if option.multiple and isinstance(value, list) else [value]
        if any(isinstance(each, (dict, list)) for each in values):
            raise CxrscanError("config-unreadable", f"{self.name}: {where} must be one text, number or truth value.")
        if not self.is_named and (setting_name(option) in _ONLY_WHEN_NAMED or _leads_out(option, values)):
            raise CxrscanError(
                "config-unnamed", f"{self.name} was found, not named, and such a file may not set {where}."
            )
        return values if option.multiple else value


def _leads_out(option: click.Option, values: list[Any]) -> bool:
    """Whether a path leads out of the current folder."""
    here = Path.cwd().resolve()
    return isinstance(option.type, click.Path) and not all(
        (here / str(value)).resolve().is_relative_to(here) for value in values
    )


def setting_name(option: click.Option) -> str:
    """What users call an option: ``--max-memory`` is ``max-memory``."""
    return max(option.opts, key=len).lstrip("-")


def settings_of(command: click.Command) -> dict[str, click.Option]:
    """The options of a command, by the names that users know."""
    return {setting_name(each): each for each in command.params if isinstance(each, click.Option)}


def find_files(named: Path | None) -> tuple[SettingsFile, ...]:
    """The files that hold settings, in rising order: the named one alone, or those of the current folder.

    Raises
    ------
    CxrscanError
        ``config-unreadable``, or ``config-unnamed`` where another user of the computer wrote what was found.
    """
    if named is not None:
        tables = _read(named)
        if named.name == PROJECT_NAME:
            tables = _project_tables(tables)
        return (SettingsFile(printable(str(named)), tables, is_named=True),)
    found = []
    if os.path.lexists(FILE_NAME):
        found.append(SettingsFile(FILE_NAME, _read(Path(FILE_NAME)), is_named=False))
    if os.path.lexists(PROJECT_NAME) and (tables := _project_tables(_read(Path(PROJECT_NAME), of_us=False))):
        found.append(SettingsFile(PROJECT_NAME, tables, is_named=False))
    for file in found:
        _refuse_of_another_user(file.name)
    return tuple(found)


def _project_tables(content: dict[str, Any]) -> dict[str, Any]:
    tables = content.get("tool", {})
    tables = tables.get("cxrscan", {}) if isinstance(tables, dict) else {}
    return tables if isinstance(tables, dict) else {}


def _read(path: Path, *, of_us: bool = True) -> dict[str, Any]:
    """Content of a file; of one that is not ours alone, nothing where it cannot be read."""
    import tomllib

    from cxrscan.scanner.system.bounded import read_bounded

    try:
        return tomllib.loads(read_bounded(path, _MAX_BYTES).decode())
    except OSError as error:
        problem = error.strerror
    except (ValueError, RecursionError) as error:
        problem = printable(str(error))[:200]
    if not of_us:
        return {}
    raise CxrscanError("config-unreadable", f"{printable(str(path))} cannot be read: {problem}.")


def _refuse_of_another_user(name: str) -> None:
    if hasattr(os, "geteuid") and os.lstat(name).st_uid not in (os.geteuid(), 0):
        raise CxrscanError("config-unnamed", f"{name} in the current folder belongs to another user.")


def refuse_settings_beside(path: Path, context: click.Context | None) -> None:
    """Refuse settings that were found in what the command is to read: whoever made the films may have made them.

    Parameters
    ----------
    path
        Film, folder or run that a command was given.
    """
    files = () if context is None else context.find_object(tuple) or ()
    found = [file.name for file in files if not file.is_named]
    if found and Path.cwd().resolve().is_relative_to(path.resolve()):
        raise CxrscanError("config-unnamed", f"{found[0]} lies in what is to be read, {printable(str(path))}.")


def source_of(context: click.Context, option: click.Parameter) -> str:
    """Where the value of an option comes from: a file, a variable of the environment, or ``command line``."""
    source = context.get_parameter_source(str(option.name))
    if source is ParameterSource.DEFAULT_MAP:
        return _file_of(context, str(option.name))
    if source is ParameterSource.ENVIRONMENT:
        return variable_of(context, option)
    return "command line" if source is ParameterSource.COMMANDLINE else "default"


def words_of(context: click.Context) -> tuple[str, ...]:
    """How a command is called, without ``cxrscan``."""
    return (*words_of(context.parent), str(context.info_name)) if context.parent is not None else ()


def _file_of(context: click.Context, name: str) -> str:
    """The last file that says something of an option."""
    words = words_of(context)
    files: tuple[SettingsFile, ...] = context.find_object(tuple) or ()
    return next(file.name for file in reversed(files) if name in file.defaults(context.command, words))


def variable_of(context: click.Context, option: click.Parameter) -> str:
    """The variable of the environment that an option is read from."""
    if isinstance(option.envvar, str):
        return option.envvar
    return f"{context.auto_envvar_prefix}_{str(option.name).upper()}"


def name_variables(command: click.Command, prefix: str) -> None:
    """Call the variables as users call the options; click would take its own names of them."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            name_variables(each, f"{prefix}_{name}")
        return
    for name, option in settings_of(command).items():
        if name.replace("-", "_") != option.name:
            option.envvar = f"{prefix}_{name}".replace("-", "_").upper()


def give_defaults(context: click.Context, name: str, command: click.Command) -> list[str]:
    """Let a command of the first rank know what the files say; returns what was found rather than named, in words."""
    merged: dict[str, Any] = {}
    told = []
    for file in context.find_object(tuple) or ():
        said = file.defaults(command, (name,))
        _merge(merged, said)
        if said and not file.is_named:
            told.append(f"Settings of {file.name}: {', '.join(_words(file.tables[name]))}")
    context.default_map = {**(context.default_map or {}), name: merged}
    return told


def _words(table: dict[str, Any]) -> list[str]:
    return [
        printable(f"{key} {', '.join(_words(value)) if isinstance(value, dict) else value}")
        for key, value in table.items()
    ]


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value
