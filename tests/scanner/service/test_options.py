"""What is typed: the commands of the page, and combinations that make no sense."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner

from cxrscan.scanner.cli.main import cxrscan

ROOT = Path(__file__).parent.parent.parent.parent
PAGES = [ROOT / "docs/service.md", ROOT / "deploy/cxrscan.service"]


def test_every_command_of_the_pages_is_understood() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES).replace("\\\n", " ")
    lines = re.findall(r"cxrscan ((?:serve|watch)\b[^`\n]*? -[^`\n]+)$", text, re.MULTILINE)
    assert len(lines) >= 7
    for line in lines:
        name, *arguments = shlex.split(line)
        command = cxrscan.get_command(Context(cxrscan), name)
        assert command is not None
        command.make_parser(Context(command)).parse_args(arguments)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("watch -o out", "Name the folder"),
        ("watch . -o out --delete-films", "--keep-days"),
        ("watch . -o out --to NOWHERE", "AET@HOST:PORT"),
        ("serve -o out --bind 10.0.0.5", "--allow"),
        ("serve -o out --allow CR1", "AET@ADDRESS"),
        ("serve -o out --tls", "--tls-cert"),
        ("serve", "--output"),
        ("serve -o out --aet ABCDEFGHIJKLMNOPQ", "--aet"),
        ("serve -o out --aet ''", "--aet"),
        ("serve -o out --aet 'A\\\\B'", "--aet"),
        ("serve -o out --aet RÖNTGEN", "--aet"),
        ("watch . -o out --aet '  '", "--aet"),
        ("send . --to PACS@10.0.0.5:104 --aet ABCDEFGHIJKLMNOPQ", "--aet"),
        ("send . --to 'A\tB@10.0.0.5:104'", "--to"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_made(
    line: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cxrscan, shlex.split(line))
    assert (done.exit_code, told in done.output) == (2, True), done.output
    assert not list(tmp_path.iterdir())
