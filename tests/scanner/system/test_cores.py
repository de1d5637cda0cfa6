"""A container's CPU quota is respected, whichever way the kernel tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxrscan.scanner.system.cores import available_cores, cpu_quota


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_there_is_at_least_one_core_and_no_more_than_the_machine_has() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("files", "groups", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"a.slice/cpu.max": "max 100000\n", "a.slice/b/cpu.max": "50000 100000\n"}, "0::/a.slice/b\n", 0.5),
        ({"a.slice/cpu.max": "100000 100000\n", "a.slice/b/cpu.max": "max 100000\n"}, "0::/a.slice/b\n", 1.0),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu,cpuacct:/\n", 2.0),
        ({"cpu/docker/x/cpu.cfs_quota_us": "5000\n", "cpu/docker/x/cpu.cfs_period_us": "10000\n"},
         "3:memory:/y\n4:cpu,cpuacct:/docker/x\n0::/\n", 0.5),
    ],
)  # fmt: skip
def test_the_tightest_quota_counts(tmp_path: Path, files: dict[str, str], groups: str, cores: float) -> None:
    for name, text in files.items():
        write(tmp_path / "cgroup" / name, text)
    write(tmp_path / "membership", groups)
    assert cpu_quota(tmp_path / "cgroup", tmp_path / "membership") == cores


@pytest.mark.parametrize(
    "files",
    [{}, {"cpu.max": "max 100000\n"}, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}],
)
def test_without_a_quota_all_cores_count(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    assert cpu_quota(tmp_path, tmp_path / "nothing") == os.cpu_count()
