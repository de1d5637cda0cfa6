"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from click import Group

from scanner.cli.main import cxrscan
from scanner.errors import HINTS
from scanner.records import GATE_REASONS

ROOT = Path(__file__).parent.parent


def test_messages_lists_every_code_with_its_hint_and_no_other() -> None:
    text = (ROOT / "docs/messages.md").read_text()
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", text, re.MULTILINE))
    assert listed == {**HINTS, **GATE_REASONS}


def test_every_command_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    for command, option in re.findall(r"^ {4}cxrscan ([a-z]+)(?:.*?(--[a-z-]+))?", text, re.MULTILINE):
        assert command in cxrscan.commands
        if option:
            known = cxrscan.commands[command].params
            assert any(option in parameter.opts + parameter.secondary_opts for parameter in known), (command, option)


def test_every_make_target_of_the_readme_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert target in targets


def test_every_module_of_the_architecture_page_exists() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    for line in re.findall(r"^ {4}([a-z_]+)/ .*\n((?: {6,}.*\n)+)", text, re.MULTILINE):
        folder, listing = line
        for module in re.findall(r"\b([a-z_]+\.py)\b", listing):
            assert list((ROOT / folder).rglob(module)), f"{folder}/…/{module}"


def test_every_sub_command_explains_itself() -> None:
    def leaves(group: Group) -> list[tuple[str, str | None]]:
        found = []
        for name, command in group.commands.items():
            found += leaves(command) if isinstance(command, Group) else [(name, command.help)]
        return found

    for name, text in leaves(cxrscan):
        assert text, name
