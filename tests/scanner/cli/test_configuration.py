"""Settings from files, the environment and the command line: which counts, and what a stranger's file may not do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest

from cxrscan.scanner.cli.configuration import _ONLY_WHEN_NAMED, settings_of
from cxrscan.scanner.cli.main import COMMANDS, cxrscan
from tests.builders import write_film
from tests.scanner.cli.test_cli import cxrscan as command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to work in, with a film in ``films/``."""
    write_film(tmp_path / "films/1.png", 1, height=240, width=240)
    return tmp_path


def shown(folder: Path, *arguments: str, **variables: str) -> dict[str, dict[str, object]]:
    """What ``config show run`` says."""
    done = command(*arguments, "config", "show", "run", "--json", cwd=folder, env={**os.environ, **variables})
    assert done.returncode == 0, done.stderr
    settings: dict[str, dict[str, object]] = json.loads(done.stdout)["run"]
    return settings


def test_each_source_goes_before_those_below_it_and_show_says_which_counts(folder: Path) -> None:
    (folder / "cxrscan.toml").write_text('[run]\nworkers = 2\nmax-megapixels = 50\ntitle = "a"\ninclude = ["*.png"]\n')
    (folder / "pyproject.toml").write_text('[tool.cxrscan.run]\nworkers = 3\ntitle = "b"\n[tool.other]\nx = 1\n')
    settings = shown(folder, CXRSCAN_RUN_WORKERS="4", CXRSCAN_RUN_JSON="1")
    told = {name: (settings[name]["value"], settings[name]["source"]) for name in settings}
    assert told["include"] == (["*.png"], "cxrscan.toml")
    assert told["max-megapixels"] == (50.0, "cxrscan.toml")
    assert told["title"] == ("b", "pyproject.toml")
    assert told["workers"] == (4, "CXRSCAN_RUN_WORKERS")
    assert told["json"] == (True, "CXRSCAN_RUN_JSON")
    assert told["batch-size"] == (16, "default")
    assert told["labels"] == (None, "default")


def test_the_manifest_keeps_resolved_values_and_their_sources(folder: Path) -> None:
    (folder / "cxrscan.toml").write_text('[run]\nthreshold = 0.25\nworkers = 3\noutput = "results"\n')
    variables = {**os.environ, "CXRSCAN_RUN_TIMEOUT": "90"}
    done = command("run", "films", "--workers", "1", cwd=folder, env=variables)
    assert done.returncode == 0, done.stderr
    assert "Settings of cxrscan.toml: threshold 0.25, workers 3, output results" in done.stderr
    manifest = json.loads((folder / "results/run.json").read_text())
    arguments, sources = manifest["arguments"], manifest["argument_sources"]
    assert (manifest["threshold"], arguments["workers"], arguments["timeout"]) == (0.25, 1, 90.0)
    assert sources == {
        "output": "cxrscan.toml",
        "threshold": "cxrscan.toml",
        "timeout": "CXRSCAN_RUN_TIMEOUT",
        "workers": "command line",
    }


def test_a_named_file_takes_the_place_of_those_found(folder: Path) -> None:
    (folder / "cxrscan.toml").write_text("[run]\nworkers = 2\n")
    (folder / "mine.toml").write_text("[run]\ntimeout = 7\n")
    for settings in (shown(folder, "--config", "mine.toml"), shown(folder, CXRSCAN_CONFIG="mine.toml")):
        assert (settings["timeout"]["value"], settings["timeout"]["source"]) == (7.0, "mine.toml")
        assert settings["workers"]["source"] == "default"


def test_train_has_a_config_of_its_own(folder: Path) -> None:
    (folder / "mine.toml").write_text('[train]\nconfig = "robust"\n')
    done = command("--config", "mine.toml", "config", "show", "train", "--json", cwd=folder)
    assert json.loads(done.stdout)["train"]["config"] == {"value": "robust", "source": "mine.toml"}
    wrong = command("run", "films", "--config", "mine.toml", cwd=folder)
    assert (wrong.returncode, "cxrscan --config FILE.toml COMMAND" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[run]\nwokers = 2\n",
            "cxrscan.toml: [run] has no setting 'wokers'; did you mean 'workers'? [config-unknown]",
        ),
        ("[rum]\nworkers = 2\n", "cxrscan.toml: there is no command 'rum'; did you mean 'run'? [config-unknown]"),
        ("[run]\npaths = 'x'\n", "[config-unknown]"),
        ("run = 3\n", "run must be a table, [run]. [config-unreadable]"),
        ("[run]\nworkers = [2]\n", "[run] workers must be one text, number or truth value. [config-unreadable]"),
        ("[run\n", "[config-unreadable]"),
        (
            "[run]\nworkers = 'many'\n",
            "Invalid value for '--workers': 'many' is not a valid integer range. (cxrscan.toml)",
        ),
        ("[run]\nupload = 's3://elsewhere/'\n", "such a file may not set [run] upload. [config-unnamed]"),
        ("[run]\nmodel = '../other'\n", "such a file may not set [run] model. [config-unnamed]"),
        ("[run]\noutput = 'link'\n", "such a file may not set [run] output. [config-unnamed]"),
        ("[run]\nfollow_links = true\n", "such a file may not set [run] follow_links. [config-unnamed]"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_a_code(folder: Path, text: str, message: str) -> None:
    (folder / "cxrscan.toml").write_text(text)
    (folder / "link").symlink_to("/")
    done = command("run", "films", cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (folder / "cxrscan-out").exists()


def test_settings_among_the_films_or_in_a_received_run_are_not_taken(folder: Path) -> None:
    (folder / "films/cxrscan.toml").write_text("[run]\nthreshold = 0.99\n[report]\nthreshold = 0.99\n")
    assert command("run", "films", cwd=folder).returncode == 0
    assert json.loads((folder / "cxrscan-out/run.json").read_text())["threshold_name"] != "custom"
    (folder / "films/cxrscan.toml").rename(folder / "cxrscan-out/cxrscan.toml")
    for inside, arguments in (("films", ["run", ".", "-o", "../o"]), ("cxrscan-out", ["report", "."])):
        (folder / inside / "cxrscan.toml").write_text("[run]\nthreshold = 0.99\n[report]\nthreshold = 0.99\n")
        done = command(*arguments, cwd=folder / inside)
        assert (done.returncode, "lies in what is to be read, .. [config-unnamed]" in done.stderr) == (2, True)
        named = command("--config", "cxrscan.toml", *arguments, cwd=folder / inside)
        assert named.returncode == 0, named.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_settings_of_another_user_are_not_taken(folder: Path) -> None:
    (folder / "cxrscan.toml").write_text("[run]\nworkers = 2\n")
    os.chown(folder / "cxrscan.toml", 4242, 4242)
    done = command("run", "films", cwd=folder)
    assert (done.returncode, "belongs to another user. [config-unnamed]" in done.stderr) == (2, True)


def test_settings_that_only_a_named_file_may_give_exist() -> None:
    known: set[str] = set()

    def collect(each: click.Command) -> None:
        known.update(settings_of(each))
        for child in getattr(each, "commands", {}).values():
            collect(child)

    for name in COMMANDS:
        found = cxrscan.get_command(click.Context(cxrscan), name)
        assert found is not None
        collect(found)
    assert _ONLY_WHEN_NAMED - known == set()
