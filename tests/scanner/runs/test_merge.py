"""Shards are scanned apart and merged to the table of one run; what does not fit together is refused."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.evaluation.labels import LabelRequest
from cxrscan.scanner.render import Tally, render
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.runs.merge import merge_runs
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.filters import Filter, Shard
from tests.builders import write_film
from tests.faults.harness import COMMAND, table

ROOT = Path(__file__).parents[3]
N_SHARDS = 3


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve films, a broken one, and files that are skipped."""
    folder = tmp_path_factory.mktemp("films")
    for seed in range(12):
        write_film(folder / ("NORMAL" if seed % 2 else "PNEUMONIA") / f"{seed}.png", seed, height=100, width=110)
    (folder / "broken.jpg").touch()
    for number in range(5):
        (folder / f".{number}.png").touch()
        (folder / f"{number}.txt").touch()
    return folder


def scan(films: Path, out: Path, *, shard: Shard | None = None, threshold: str | None = None) -> Tally:
    request = RunRequest(
        (films,),
        out,
        ScanSettings(),
        n_workers=1,
        labels=LabelRequest("folders"),
        threshold=threshold,
        keep=Filter(shard=shard),
    )
    return run(request, write_outputs)


@pytest.fixture(scope="module")
def whole(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Tally:
    return scan(films, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def shards(films: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    for number in range(1, N_SHARDS + 1):
        scan(films, folder / str(number), shard=Shard(number, N_SHARDS))
    return [folder / str(number) for number in range(1, N_SHARDS + 1)]


def test_merged_shards_are_the_whole_run(whole: Tally, shards: list[Path], tmp_path: Path) -> None:
    merge_runs(shards[::-1], tmp_path / "out")
    merged = render(tmp_path / "out", write_outputs)
    assert table(tmp_path / "out") == table(whole.outputs.csv.parent)
    assert merged.counts == whole.counts
    assert merged.info.n_skipped == whole.info.n_skipped
    assert merged.info.shard == ""
    assert all(len(table(shard)) < merged.counts.n_films for shard in shards)


def refusal(runs: Iterable[Path], out: Path) -> CxrscanError:
    with pytest.raises(CxrscanError) as caught:
        merge_runs(list(runs), out)
    assert not out.exists()
    return caught.value


def test_a_missing_shard_is_refused_by_its_number_unless_told_otherwise(shards: list[Path], tmp_path: Path) -> None:
    error = refusal(shards[:2], tmp_path / "out")
    assert (error.code, error.message) == ("runs-incomplete", "Of 3 shards 1 is missing: 3.")
    merge_runs(shards[:2], tmp_path / "out", partial=True)
    assert error.message in render(tmp_path / "out", write_outputs).info.notes


def test_an_unfinished_shard_is_refused(films: Path, shards: list[Path], tmp_path: Path) -> None:
    def stop(outcome: object) -> None:
        raise KeyboardInterrupt

    request = RunRequest(
        (films,),
        tmp_path / "3",
        ScanSettings(),
        n_workers=1,
        labels=LabelRequest("folders"),
        keep=Filter(shard=Shard(3, 3)),
    )
    run(request, write_outputs, on_file=stop)
    error = refusal([*shards[:2], tmp_path / "3"], tmp_path / "out")
    assert error.code == "runs-incomplete"
    assert "interrupted" in error.message


def test_a_film_in_two_runs_is_refused(films: Path, shards: list[Path], tmp_path: Path) -> None:
    assert refusal([*shards, scan(films, tmp_path / "a").outputs.csv.parent], tmp_path / "out").code == "runs-overlap"
    halves = [tmp_path / "half", tmp_path / "other-half"]
    for number, half in enumerate(halves, start=1):
        scan(films, half, shard=Shard(number, 2))
    assert refusal([*shards, *halves], tmp_path / "out").code == "runs-overlap"


def test_other_settings_and_thresholds_are_refused_by_name(films: Path, shards: list[Path], tmp_path: Path) -> None:
    request = RunRequest(
        (films,),
        tmp_path / "3",
        ScanSettings(gate="off", window=1),
        n_workers=1,
        labels=LabelRequest("folders"),
        keep=Filter(shard=Shard(3, 3)),
    )
    run(request, write_outputs)
    error = refusal([*shards[:2], tmp_path / "3"], tmp_path / "out")
    assert error.code == "runs-differ"
    assert error.message.endswith("settings: gate, window.")
    scan(films, tmp_path / "third", shard=Shard(3, 3), threshold="0.3")
    assert "threshold" in refusal([*shards[:2], tmp_path / "third"], tmp_path / "out").message


def test_a_shards_folder_is_refused_to_another_shard(films: Path, shards: list[Path]) -> None:
    for other in (Shard(2, N_SHARDS), None):
        with pytest.raises(CxrscanError) as caught:
            scan(films, shards[0], shard=other)
        assert caught.value.code == "other-run"


def test_more_shards_than_films_are_merged_too(films: Path, whole: Tally, tmp_path: Path) -> None:
    runs = [tmp_path / str(number) for number in range(1, 41)]
    for number, out in enumerate(runs, start=1):
        scan(films, out, shard=Shard(number, 40))
    merge_runs(runs, tmp_path / "out")
    render(tmp_path / "out", write_outputs)
    assert table(tmp_path / "out") == table(whole.outputs.csv.parent)


@given(st.text(), st.integers(1, 50))
def test_every_name_is_in_exactly_one_shard(name: str, of: int) -> None:
    assert sum(Shard(number, of).holds(name) for number in range(1, of + 1)) == 1


def test_shards_are_stable_over_versions_and_about_equal() -> None:
    names = [f"ward-{number % 7}/{number}.dcm" for number in range(16_000)]
    sizes = [sum(map(Shard(number, 16).holds, names)) for number in range(1, 17)]
    assert [Shard(1, 16).holds(name) for name in names[:8]] == [False] * 8
    assert sum(sizes) == len(names)
    assert max(sizes) < 1.15 * min(sizes)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/", "-1/3", "1/0"])
def test_a_shard_that_cannot_be_is_refused(text: str, films: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(films), "-o", str(tmp_path), "--shard", text], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "K/N" in done.stderr


def test_the_job_array_of_the_docs_gives_the_whole_run(films: Path, whole: Tally, tmp_path: Path) -> None:
    """Run the example's own lines, with the variables that SLURM would set."""
    text = (ROOT / "docs/scaling.md").read_text()
    (lines,) = re.findall(r"^```shell\n(#!/bin/bash\n(?:.*\n)*?)```$", text, re.MULTILINE)
    (n_tasks,) = re.findall(r"^#SBATCH --array=1-(\d+)", lines, re.MULTILINE)
    (tmp_path / "films").symlink_to(films)
    (tmp_path / "scan.sbatch").write_text(f'cxrscan() {{ {shlex.join(COMMAND[:-1])} "$@"; }}\n{lines}')
    for task in range(1, int(n_tasks) + 1):
        slurm = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": n_tasks, "SLURM_CPUS_PER_TASK": "1"}
        shell(["bash", "scan.sbatch"], tmp_path, slurm)
    (merge,) = re.findall(r"^(cxrscan merge .*)$", text, re.MULTILINE)
    shell(["bash", "-c", f'cxrscan() {{ {shlex.join(COMMAND[:-1])} "$@"; }}\n{merge}'], tmp_path, {})
    found = [{**row, "truth": ""} for row in table(tmp_path / "whole")]
    assert found == [{**row, "truth": ""} for row in table(whole.outputs.csv.parent)]


def shell(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr


def test_what_a_broken_merge_left_is_not_counted(films: Path, shards: list[Path], tmp_path: Path) -> None:
    scan(films / "NORMAL", tmp_path / "stranger")
    with Journal(tmp_path / "out", create=True) as broken_off, Journal(tmp_path / "stranger", read_only=True) as part:
        broken_off.put("roots", ["/elsewhere"])
        broken_off.start_session("key")
        broken_off.add_films(part.films())
    merge_runs(shards, tmp_path / "out")
    names = [row["path"] for shard in shards for row in table(shard)]
    assert sorted(row["path"] for row in table(render(tmp_path / "out", write_outputs).outputs.csv.parent)) == sorted(
        names
    )


def test_runs_whose_folders_are_called_alike_keep_every_film(films: Path, tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("x/a", "y/a", "a~2", "a~1")]
    for n, run_folder in enumerate(runs):
        write_film(tmp_path / f"films-{n}/film.png", n, height=100, width=110)
        scan(tmp_path / f"films-{n}", run_folder)
    merge_runs(runs, tmp_path / "out")
    rows = table(render(tmp_path / "out", write_outputs).outputs.csv.parent)
    assert len({row["sha256"] for row in rows}) == len({row["path"] for row in rows}) == len(runs)


def test_ten_thousand_million_shards_are_counted_without_listing_them(films: Path, tmp_path: Path) -> None:
    scan(films, tmp_path / "1", shard=Shard(1, 999_999_999))
    said = refusal([tmp_path / "1"], tmp_path / "out").message
    assert "999999998 are missing: 2, 3, 4," in said
    assert len(said) < 200
