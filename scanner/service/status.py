"""How a service stands: one record, kept in a file for `--status`, and told as page, JSON and Prometheus metrics.

It holds counts and codes, and nothing of a patient.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path

from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.runs.growing import grows
from cxrscan.scanner.runs.stored import UnfitError, record_of
from cxrscan.scanner.service.events import Trouble
from cxrscan.scanner.service.ledger import Queues
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.scanner.system.whole_files import write_whole

STATUS_NAME = "service.json"
_MOST_BYTES = 1 << 20

#: What is counted -> what it means, for people and for Prometheus.
COUNTED = {
    "received": "objects taken from the network",
    "refused": "objects not taken",
    "rejected_callers": "associations refused",
    "found": "films found in the folder",
    "scanned": "files scanned",
    "failed": "films that failed",
    "studies": "studies answered",
    "results": "results written",
    "sent": "results sent",
    "forgotten": "films let go",
}


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How a service stood at a moment."""

    state: str
    """``running``, ``stopping``, ``stopped`` or ``ended without a word``."""
    version: str
    model: str
    started_at: str
    updated_at: str
    queues: Queues
    counts: dict[str, int]
    """Key of COUNTED -> how often, over all starts."""
    n_connections: int = 0
    n_moving: int = 0
    """Files that do not rest yet."""
    free_gib: float = 0.0
    """Free space on the disk of the folder."""
    is_destination: bool = False
    """Whether results are sent on."""
    troubles: tuple[Trouble, ...] = field(default=())
    """Newest first."""


def keep_status(folder: Path, status: ServiceStatus) -> None:
    """Keep a status for ``read_status``; raises RunFolderError ``output-unwritable``."""
    write_whole(folder / STATUS_NAME, json.dumps(asdict(status)).encode(), mode=0o640)


def read_status(folder: Path) -> ServiceStatus:
    """The last status of the service of a folder, with whether it runs now.

    Raises
    ------
    RunFolderError
        ``not-a-service``.
    """
    try:
        data = read_bounded(folder / STATUS_NAME, _MOST_BYTES)
    except OSError:
        raise RunFolderError("not-a-service", f"No service has worked in {folder}.") from None
    try:
        status = record_of(ServiceStatus, json.loads(data))
    except (UnfitError, ValueError, RecursionError):
        raise RunFolderError("not-a-service", f"{folder / STATUS_NAME} is damaged.") from None
    if grows(folder) or status.state == "stopped":
        return status
    return replace(status, state="ended without a word")


def rows(status: ServiceStatus) -> list[tuple[str, str]]:
    """A status as lines for people."""
    queues = status.queues
    told = [
        ("state", f"{status.state}, version {status.version}, {status.model}"),
        ("started", status.started_at),
        ("as of", status.updated_at),
        ("films waiting", f"{queues.n_waiting:,}"),
        ("films scanned, study not quiet yet", f"{queues.n_scanned:,}"),
        ("films done", f"{queues.n_done:,}"),
        ("files that still change", f"{status.n_moving:,}"),
        ("open connections", f"{status.n_connections:,}"),
        ("free space", f"{status.free_gib:.1f} GiB"),
    ]
    if status.is_destination:
        told.append(("results to be sent", f"{queues.n_to_send:,}, {queues.n_failing:,} of them not taken so far"))
    return told + [(COUNTED[what], f"{n:,}") for what, n in status.counts.items() if what in COUNTED]


def page(status: ServiceStatus) -> str:
    """The status as a page that asks for nothing else."""
    cells = "".join(f"<tr><th>{escape(what)}</th><td>{escape(text)}</td></tr>" for what, text in rows(status))
    troubles = "".join(
        f"<tr><td>{escape(trouble.at)}</td><td>{escape(trouble.code)}</td><td>{escape(trouble.message)}</td></tr>"
        for trouble in status.troubles
    )
    last = f"<h2>Last troubles</h2><table>{troubles}</table>" if troubles else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="10">'
        f"<title>cxrscan service</title><h1>cxrscan service</h1><table>{cells}</table>{last}<p>{escape(NOTICE)}</p>"
    )


def metrics(status: ServiceStatus) -> str:
    """The status in Prometheus' text format."""
    gauges = {
        "films_waiting": status.queues.n_waiting,
        "films_unanswered": status.queues.n_scanned,
        "results_to_send": status.queues.n_to_send,
        "results_failing": status.queues.n_failing,
        "connections": status.n_connections,
        "disk_free_bytes": round(status.free_gib * 2**30),
    }
    lines = [line for name, value in gauges.items() for line in _metric(name, "gauge", value)]
    for what in COUNTED:
        lines += _metric(f"{what}_total", "counter", status.counts.get(what, 0))
    return "\n".join([*lines, ""])


def _metric(name: str, kind: str, value: float) -> tuple[str, str]:
    return f"# TYPE cxrscan_{name} {kind}", f"cxrscan_{name} {value}"
