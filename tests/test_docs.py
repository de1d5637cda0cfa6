"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click import Context, Option

from cxrscan.scanner.cli.main import COMMANDS, cxrscan
from cxrscan.scanner.errors import HINTS
from cxrscan.scanner.records import GATE_REASONS
from cxrscan.version import __version__

ROOT = Path(__file__).parent.parent


def messages_page() -> str:
    """What docs/messages.md has to say; ``python -m tests.test_docs`` writes it."""
    errors = "".join(f"| `{code}` | {hint} |\n" for code, hint in HINTS.items())
    reasons = "".join(f"| `{code}` | {sentence} |\n" for code, sentence in GATE_REASONS.items())
    return (
        "# Messages\n\n"
        "## Errors\n\nA file that cannot be scored has its code in the column `error_code`; an error that ends a "
        "command shows its code in brackets.\n\n| code | what you can do |\n|---|---|\n"
        f"{errors}\n"
        "## Reasons of the gate\n\nThe column `gate_reasons` holds these codes, separated by spaces. They say why a "
        "film was rejected (no prediction) or is scored with a caveat.\n\n| code | meaning |\n|---|---|\n"
        f"{reasons}"
    )


def test_messages_lists_every_code_with_its_hint() -> None:
    assert (ROOT / "docs/messages.md").read_text() == messages_page()


def test_every_command_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    for command, option in re.findall(r"^cxrscan ([a-z]+)(?:.*?(--[a-z-]+))?", text, re.MULTILINE):
        found = cxrscan.get_command(Context(cxrscan), command)
        assert found is not None, command
        if option:
            known = found.params
            assert any(option in parameter.opts + parameter.secondary_opts for parameter in known), (command, option)


def test_the_citation_names_this_version() -> None:
    (version,) = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert version == __version__


def test_every_make_target_of_the_readme_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert target in targets


def modules_named() -> list[str]:
    """``folder/module`` for each module that docs/architecture.md names in its list of folders."""
    text = (ROOT / "docs/architecture.md").read_text().partition("## What lies where")[2].partition("\n## ")[0]
    lines = re.findall(r"^ {4}(\S+) +(.+(?:\n {20,}.+)*)", text, re.MULTILINE)
    parts = [(folder, re.split("[·:;]", re.sub(r"\([^)]*\)", "", listing))) for folder, listing in lines]
    return [
        f"{folder}/{part.strip()}" for folder, those in parts for part in those if re.fullmatch(r"\w+", part.strip())
    ]


def test_the_architecture_page_names_every_module_once() -> None:
    modules = [
        str(path.relative_to(ROOT).with_suffix(""))
        for package in ("scanner", "reports", "training")
        for path in (ROOT / package).rglob("*.py")
        if path.stem != "__init__"
    ]
    modules += [f"cxrscan/{path.stem}" for path in (ROOT / "cxrscan").glob("[a-z]*.py")]
    assert sorted(modules_named()) == sorted(modules)


def test_the_architecture_page_is_two_pages_of_short_sentences() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    prose = re.sub(r"^ {4}.*$|^[|#].*$", "\n", text, flags=re.MULTILINE)
    sentences = [" ".join(one.split()) for one in re.split(r"(?<=[.!?:])\s|\n\s*\n|\n- ", prose)]
    assert [one for one in sentences if len(one.split()) > 25] == []
    assert len(text.splitlines()) <= 130


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/security.md"])
def test_every_promise_names_a_test_that_exists(page: str) -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    rows = re.findall(r"^\| (.*) \| (.*) \|$", (ROOT / page).read_text(), re.MULTILINE)
    promised = [test for _, tests_of_row in rows for test in re.findall(r"`(test_\w+)`", tests_of_row)]
    assert [test for test in promised if f"def {test}(" not in tests] == []
    if page == "SECURITY.md":
        section = (ROOT / page).read_text().partition("## Promises")[2].partition("\n## ")[0]
        lines = re.findall(r"^\| (?!promise)[A-Z].*$", section, re.MULTILINE)
        assert len(lines) > 9
        assert [line for line in lines if "`test_" not in line] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    command = cxrscan.get_command(Context(cxrscan), name)
    assert command is not None
    assert command.short_help
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, Option):
            assert parameter.help, f"{name} {parameter.opts}"


if __name__ == "__main__":
    (ROOT / "docs/messages.md").write_text(messages_page())
