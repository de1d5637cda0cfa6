"""How many cores this process may use: what the scheduler allows, cut by a container's CPU quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Cores that this process may use, at least 1: its affinity, cut by the quota of its cgroup (Linux)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(cpu_quota(_CGROUPS, _MEMBERSHIP))))


def cpu_quota(cgroups: Path, membership: Path) -> float:
    """CPU time that the kernel grants per second, in seconds; the number of cores where there is no quota.

    Parameters
    ----------
    cgroups
        Where the control groups are mounted: version 2 (``cpu.max``) or version 1 (``cpu/cpu.cfs_quota_us``).
    membership
        ``/proc/self/cgroup``, which names the process's groups (cgroups(7)).
    """
    quotas = [*_quotas_v2(cgroups, membership), *_quotas_v1(cgroups, membership)]
    return min(quotas, default=float(os.cpu_count() or 1))


def _quotas_v2(cgroups: Path, membership: Path) -> Iterator[float]:
    for folder in _folders(cgroups, membership, controller=""):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        except (OSError, ValueError):  # not here, or "max": no quota
            continue


def _quotas_v1(cgroups: Path, membership: Path) -> Iterator[float]:
    for folder in _folders(cgroups / "cpu", membership, controller="cpu"):
        try:
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        except (OSError, ValueError):
            continue
        if quota > 0:  # -1: no quota
            yield quota / period


def _folders(mount: Path, membership: Path, controller: str) -> Iterator[Path]:
    """The group's folder and those above it, whose quotas bind too; in a container the mount is the group itself."""
    yield mount
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controller in controllers.split(","):
            parts = [part for part in path.split("/") if part]
            yield from (mount.joinpath(*parts[:n]) for n in range(1, len(parts) + 1))
