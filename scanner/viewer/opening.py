"""What the command ``cxrscan view`` was given.

Streamlit runs the app's script in this process, once per change of a page, and hands it no arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cxrscan.scanner.executors.processes import Limits
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import ImageSource, RunInfo
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.settings import ScanSettings
from cxrscan.version import __version__


@dataclass(frozen=True, slots=True)
class Opening:
    """How the viewer opens."""

    settings: ScanSettings = field(default_factory=ScanSettings)
    threshold: str | None = None
    """Name of an operating point or a number; None for the model's or the run's own."""
    film: ImageSource | None = None
    """A film to show at once."""
    limits: Limits = field(default_factory=Limits)
    """What reading a film may take."""
    run: Path | None = None
    """Folder of a finished run to page through."""
    first: str = ""
    """Film of that run to begin with; empty for the first in the order."""
    reader: str = ""
    """Whose verdicts are kept, in a sheet of their own; empty for the sheet of everybody."""
    queue: Path | None = None
    """A reading list of the run, to be read blind."""


def session_run(model: ModelSpec) -> Run:
    """Describe a session that looks at single films as if it were a run, for the columns of its table."""
    threshold_name, threshold = model.threshold(None)
    info = RunInfo(
        version=__version__,
        roots=(),
        arguments={},
        started_at="",
        finished_at="",
        exit_reason="finished",
        threshold=threshold,
        threshold_name=threshold_name,
        labels="",
        n_skipped={},
        duration_s=0.0,
        versions={},
    )
    return Run(info, model)


current = Opening()
"""Set by the command before the server starts."""
