"""ES modules -> one script that stands in a page: no module loader, no file beside it, no tool but Python."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+\.mjs)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
_NOTHING_EXPORTED = "export {};\n"
_UNKNOWN = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@cache
def joined_script(entry: Path) -> str:
    """Join a module with all that it imports, each in a scope of its own and after those that it needs.

    Modules lie in one folder. They import by name from ``./file.mjs``, and export functions, classes and constants
    where these are declared.

    Parameters
    ----------
    entry
        The module that is run; what it exports is left out.

    Raises
    ------
    ValueError
        Modules import each other in a circle, or import or export in another way.
    """
    order: dict[str, str] = {}
    _add(entry.parent, entry.name, order, ())
    return '(() => {\n"use strict";\n' + "".join(order.values()) + "})();\n"


def _add(folder: Path, name: str, order: dict[str, str], importers: tuple[str, ...]) -> None:
    """Put a module into ``order`` (name -> its scope as text), after those that it imports."""
    if name in importers:
        raise ValueError(f"modules import each other: {' > '.join((*importers, name))}")
    if name in order:
        return
    text = (folder / name).read_text(encoding="utf-8")
    for _, imported in _IMPORT.findall(text):
        _add(folder, imported, order, (*importers, name))
    order[name] = _scope(name, text)


def _scope(name: str, text: str) -> str:
    """Write a module as a function that is called at once and gives its exports."""
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(_taken_over, text)).replace(_NOTHING_EXPORTED, "")
    if unknown := _UNKNOWN.search(body):
        raise ValueError(f"{name}: {unknown[0]!r} is no import or export that can be joined")
    return f"const {_variable(name)} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _taken_over(statement: re.Match[str]) -> str:
    names, module = statement.groups()
    return f"const {{{names.replace(' as ', ': ')}}} = {_variable(module)};\n"


def _variable(module: str) -> str:
    return f"${module.removesuffix('.mjs')}"
