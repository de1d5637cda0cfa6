"""A command that is typed among foreign files imports none of them and heeds no settings of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import write_film
from tests.faults.harness import COMMAND, run, table

#: As the installed script starts it: the working directory is not on the module path of the first process.
SCRIPT = [sys.executable, "-c", "import sys; sys.path.pop(0); from cxrscan.scanner.cli.main import main; main()"]
#: Names that Python, multiprocessing, Dask, the decoders and the report import; a folder stands for a package.
PLANTED = (
    *("multiprocessing", "pickle", "signal", "sitecustomize", "usercustomize", "readline", "ctypes", "typing", "numpy"),
    *("cv2", "PIL", "ai_edge_litert", "threadpoolctl", "cxrscan", "scanner", "reports", "training", "templates"),
    *("jinja2", "matplotlib"),
    *("distributed", "dask", "msgpack", "yaml", "pydicom", "imagecodecs", "streamlit", "defusedxml", "lz4", "uvloop"),
)
DEED = """
import os
with open({place!r}, "a") as file:
    file.write(__name__ + " " + str(os.getpid()) + "\\n")
raise ImportError("planted")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of films in which somebody left Python files; what they do, they note in ``ran``."""
    for seed in range(3):
        write_film(tmp_path / f"films/{seed}.png", seed, height=210, width=210)
    deed = DEED.format(place=str(tmp_path / "ran"))
    for number, name in enumerate(PLANTED):
        if number % 2:
            (tmp_path / "films" / name).mkdir()
        (tmp_path / "films" / (f"{name}/__init__.py" if number % 2 else f"{name}.py")).write_text(deed)
    return tmp_path


def started(place: Path, *arguments: object, command: list[str] = SCRIPT, **environment: str) -> str:
    """Run a command among the films, and say what it told."""
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=place / "films",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("executor", ["local", "dask"])
def test_no_file_among_the_films_is_imported(executor: str, place: Path) -> None:
    started(place, "run", ".", "-o", place / "out", "--executor", executor, "--workers", 2)
    assert not (place / "ran").exists(), (place / "ran").read_text()
    assert len(table(place / "out")) == 3


def test_none_is_imported_where_python_heeds_no_environment(place: Path) -> None:
    started(place, "run", ".", "-o", place / "out", command=[sys.executable, "-E", *SCRIPT[1:]])
    assert not (place / "ran").exists(), (place / "ran").read_text()


def test_none_is_imported_by_commands_that_read_a_run_from_within_it(place: Path) -> None:
    started(place, "run", ".", "-o", place / "films/out")
    labels = place / "labels.csv"
    labels.write_text("path,label\n0.png,0\n1.png,1\n2.png,1\n")
    started(place, "report", "out", "--labels", labels)
    started(place, "evaluate", "out")
    started(place, "compare", "out", "out")
    started(place, "merge", place / "merged", "out")
    assert not (place / "ran").exists(), (place / "ran").read_text()


def test_an_empty_entry_of_the_module_path_does_not_reach_the_workers(place: Path) -> None:
    """``PYTHONPATH=:/opt`` stands for the working directory too."""
    before = "import sys, os; sys.path[:] = [e for e in sys.path if e not in ('', os.getcwd())]; "
    for name in ("sitecustomize", "usercustomize"):  # which Python imports before any code of ours can prevent it
        for path in (place / "films").glob(f"{name}*"):
            (path / "__init__.py" if path.is_dir() else path).unlink()
    command = [sys.executable, "-P", "-c", before + "from cxrscan.scanner.cli.main import main; main()"]
    code = "import os, sys; os.environ['PYTHONPATH'] = os.pathsep + '/nowhere'; os.execv(sys.executable, sys.argv[1:])"
    started(place, "run", ".", "-o", place / "out", command=[sys.executable, "-P", "-c", code, *command])
    assert not (place / "ran").exists(), (place / "ran").read_text()


SETTINGS = (
    "text.usetex: True",
    "savefig.dpi: 100000",
    "backend: module://evil",
    "lines.linewidth: 200",
    "axes.prop_cycle: cycler('color', 'k' * 3000000000)",
)


@pytest.mark.parametrize("where", ["working directory", "named by the environment"])
def test_settings_of_matplotlib_change_no_chart(where: str, tmp_path: Path) -> None:
    for seed in range(4):
        write_film(tmp_path / f"films/{'NORMAL' if seed % 2 else 'PNEUMONIA'}/{seed}.png", seed, height=210, width=210)
    assert run(tmp_path / "films", tmp_path / "out", "--labels", "folders")[0] == 0
    evaluate = [*COMMAND[:-1], "evaluate", str(tmp_path / "out"), "-o"]
    subprocess.run([*evaluate, str(tmp_path / "plain")], check=True, stderr=subprocess.DEVNULL)
    for number, text in enumerate(SETTINGS):
        here = tmp_path / f"here{number}"
        here.mkdir()
        (here / "matplotlibrc").write_text(text + "\n")
        (here / "evil.py").write_text(DEED.format(place=str(tmp_path / "ran")))
        named = {"MATPLOTLIBRC": str(here / "matplotlibrc")} if where != "working directory" else {}
        done = subprocess.run(
            ["prlimit", "--as=10000000000", *evaluate, str(tmp_path / f"charts{number}")],
            cwd=here if not named else tmp_path,
            env={**os.environ, **named},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, (text, done.stderr)
        for chart in (tmp_path / "plain").glob("*.svg"):
            assert (tmp_path / f"charts{number}" / chart.name).read_bytes() == chart.read_bytes(), text
    assert not (tmp_path / "ran").exists()
