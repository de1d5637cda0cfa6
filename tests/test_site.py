"""The pages of the site: their commands run, their links lead somewhere, and their sentences are short."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Context, Group

from cxrscan.scanner.cli.configuration import settings_of
from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.demo import draw_demo_folder
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
from tests.test_docs import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
MEASUREMENTS = {
    ROOT / "docs" / name for name in ("how-good.md", "speed.md", "model-study.md", "faults.md", "field-cases.md")
}
PROSE = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *(page for page in PAGES if page not in MEASUREMENTS and page.parent.name != "measurements"),
]
TRIED = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *(page for page in PAGES if page.name != "extending.md"),  # tests/test_extending.py puts its blocks into a project
]
"""Pages whose blocks are run, in a folder with films, labels, runs and a bundle."""
BLOCK = re.compile(
    r'^(?:<!-- not run: ([^\n]+) -->\n)?```(\w+)(?: title="([\w.-]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
MAX_WORDS = 25
NOT_RUN = {
    "it goes on until it is stopped",
    "needs a PACS",
    "needs a cluster",
    "needs a server",
    "needs films of the NIH",
    "nobody publishes this bundle",
    "opens a browser",
    "takes an hour",
    "the project's own checks",
    "they go on until they are stopped",
    "they go on until they are stopped, or train for hours",
    "trains for hours",
    "installs",
}
"""Why a block may be left out."""
FOR_THE_FOLDER = {"CXRSCAN_ADAPT_FORCE": "1"} | {  # two dozen drawn films prove no gain
    f"SLURM_{name}": "1" for name in ("ARRAY_TASK_ID", "ARRAY_TASK_COUNT", "CPUS_PER_TASK")
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def sentences(text: str) -> list[str]:
    """The sentences of a page's prose, without code, tables and headings."""
    text = re.sub(r"^ *```.*?^ *```$", "\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ {4}.*$|^[|#<].*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return [" ".join(one.split()) for one in re.split(r"(?<=[.!?:;])\s|\n\s*\n|\n *[-*] |\n *\d+\. ", text)]


@pytest.mark.parametrize("page", PROSE, ids=name_of)
def test_no_sentence_has_more_words_than_a_reader_keeps(page: Path) -> None:
    assert [one for one in sentences(page.read_text()) if len(one.split()) > MAX_WORDS] == []


@pytest.mark.parametrize("page", [*PROSE, *MEASUREMENTS], ids=name_of)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    made = {"pictures/report.png", "pictures/film.png", "pictures/viewer.png", "reference/settings.md"}
    made |= {f"project/{name}.md" for name in ("model-card", "changelog", "security", "contributing")}
    for link in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", page.read_text()):
        target = Path(os.path.normpath(page.parent / link))
        assert target.exists() or target.relative_to(ROOT / "docs").as_posix() in made, link


def test_every_page_stands_in_the_sites_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    named = set(re.findall(r": ([\w/-]+\.md)$", menu, re.MULTILINE))
    assert {page.relative_to(ROOT / "docs").as_posix() for page in PAGES} - named == set()


def _commands_in(text: str) -> list[list[str]]:
    """Words of each line of a block that calls cxrscan, as far as the first pipe or comment."""
    blocks = "".join(content for _, language, _, content in BLOCK.findall(text) if language == "shell")
    lines = re.findall(r"^(cxrscan (?! )(?:.*\\\n)*.*)$", blocks, re.MULTILINE)
    return [re.split(r" #|[|>&…]| or ", line.replace("\\\n", " "))[0].split() for line in lines]


@pytest.mark.parametrize("page", TRIED, ids=name_of)
def test_every_command_of_a_page_has_the_options_that_it_shows(page: Path) -> None:
    for words in _commands_in(page.read_text()):
        command: Command = cxrscan
        rest = words[1:]
        while isinstance(command, Group) and rest and not rest[0].startswith("-"):
            found = command.get_command(Context(command), rest.pop(0))
            assert found is not None, words
            command = found
        known = {option for each in settings_of(command).values() for option in (*each.opts, *each.secondary_opts)}
        for word in rest:
            if word.startswith("--"):
                assert re.split(r"[=.,;]", word)[0] in known | {"--help", "--version"}, words


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it: films, a run over them with labels, and a bundle."""
    folder = tmp_path_factory.mktemp("workplace")
    draw_demo_folder(folder / "films")
    shutil.copytree(folder / "films", folder / "later")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in ("model.json", "model.tflite", "MODEL_CARD.md"):
            archive.write(DEFAULT_BUNDLE / name, name)
    for name in ("ours.zip", "theirs.zip"):
        (folder / name).write_bytes(data.getvalue())
    shutil.make_archive(str(folder / "films"), "zip", folder, "films")
    run_shell("cxrscan run films --labels folders -q", folder)
    for name in ("last-month", "this-month", "last-week", "this-week"):
        shutil.copytree(folder / "cxrscan-out", folder / name)
    return folder


def run_shell(script: str, folder: Path) -> None:
    """Run a script as a reader would, who answers yes; files that fail on purpose may be told by exit code 3."""
    functions = 'cxrscan() { command cxrscan "$@" || { code=$?; [ $code = 3 ] || return $code; }; }\n'
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **FOR_THE_FOLDER,
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "home/settings"),
    }
    done = subprocess.run(
        ["bash", "-e", "-c", functions + script],
        cwd=folder,
        env=environment,
        input="y\n" * 9,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", TRIED, ids=name_of)
def test_the_blocks_of_a_page_run(page: Path, workplace: Path) -> None:
    put_verdicts(workplace)
    for not_run, language, title, content in BLOCK.findall(page.read_text()):
        if title:
            (workplace / title).write_text(content)
        if not_run:
            continue
        if language == "shell":
            run_shell(content, workplace)
        elif language == "python":
            subprocess.run([sys.executable, "-c", content], cwd=workplace, check=True)
        elif language == "json":
            json.loads(content)
    (workplace / "cxrscan.toml").unlink(missing_ok=True)


def put_verdicts(workplace: Path) -> None:
    """Sheets of verdicts, as two readers leave them who use the viewer, and a file of labels."""
    from cxrscan.scanner.runs.journal import Journal

    (workplace / "labelled").mkdir(exist_ok=True)
    with Journal(workplace / "cxrscan-out", read_only=True) as journal:
        films = [film.result for film in journal.films() if film.result.status == "scored"][::2]
    lines = [f"{film.name},{film.sha256},pneumonia" for film in films if film.name.startswith("PNEUMONIA")]
    lines += [f"{film.name},{film.sha256},no-pneumonia" for film in films if film.name.startswith("NORMAL")]
    for sheet in ("labelled/verdicts-anna.csv", "verdicts-anna.csv", "verdicts-ben.csv", "cxrscan-out/verdicts.csv"):
        (workplace / sheet).write_text("\n".join(["path,sha256,verdict", *lines]) + "\n")
    films = [path.relative_to(workplace / "films") for path in sorted(workplace.glob("films/[NP]*/*"))]
    labels = [f"{path.as_posix()},{path.parent.name},{number // 2}" for number, path in enumerate(films)]
    for name in ("truth.csv", "later.csv"):
        (workplace / name).write_text("\n".join(["path,label,accession", *labels]) + "\n")


@pytest.mark.parametrize("page", TRIED, ids=name_of)
def test_every_block_of_code_says_what_it_is_or_why_it_is_not_run(page: Path) -> None:
    text = page.read_text()
    blocks = BLOCK.findall(text)
    assert {why for why, *_ in blocks} - {""} <= NOT_RUN
    assert len(re.findall("^```", text, re.MULTILINE)) == 2 * len(blocks)
    assert len(re.findall("<!-- not run:", text)) == sum(bool(why) for why, *_ in blocks)
    assert re.findall(r"^\n {4}(?:cxrscan \S|python|pip|make|docker) .*", text, re.MULTILINE) == []


def test_most_commands_of_the_pages_are_run() -> None:
    blocks = [found for page in TRIED for found in BLOCK.findall(page.read_text()) if found[1] in ("shell", "python")]
    assert sum(not why for why, *_ in blocks) > 27


UNIT = re.compile(
    r"[−–-]?\d[\d.,]*(?: (?:to|–) [\d.,]+)? ?(%|[µm]?s|min|h|[kKMGT]i?B|px|films/s|minutes|hours|seconds|days)(?![\w/])"
)
BARE = re.compile(r"[−–-]?\d[\d.,]*(?: \([^)]*\))?")


def columns(text: str) -> Iterator[tuple[str, list[str]]]:
    """Head and cells of each column of the tables of a page."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table.splitlines())
        yield from zip(head, map(list, zip(*rows, strict=True)), strict=True)  # every row has a cell for each column


def units(cells: list[str]) -> set[str]:
    """Units of the cells that begin with a figure; ``""`` for a figure alone."""
    found = {match[1] for cell in cells if (match := UNIT.match(cell))}
    return found | {"" for cell in cells if BARE.fullmatch(cell) and cell != "0"}


def test_units_of_a_column_are_told_apart() -> None:
    assert units(["3 s", "1.5 s", "none", "0"]) == {"s"}
    assert units(["3 s", "20 ms", "5 % of all", "7 (2 to 9)", "12 stations"]) == {"s", "ms", "%", ""}


@pytest.mark.parametrize("page", sorted({*PROSE, *PAGES}), ids=name_of)
def test_a_column_of_a_table_has_one_unit(page: Path) -> None:
    mixed = {title: found for title, cells in columns(page.read_text()) if len(found := units(cells)) > 1}
    assert mixed == {}


def test_the_picture_of_the_readme_is_what_its_script_draws() -> None:
    assert (ROOT / "docs/overview.svg").read_text() == runpy.run_path(str(ROOT / "docs/overview.py"))["drawing"]()


def test_the_readme_fits_on_a_screen_and_a_half() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 80
