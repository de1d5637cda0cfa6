"""The report of a run that grows, rendered anew by a process that ends each time, and its memory with it."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.executors.processes import signals_held_back, without_main_module
from cxrscan.scanner.render import WriteOutputs, render
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.system.surroundings import safe_path

_processes = multiprocessing.get_context("spawn")


def render_outputs(folder: Path, write_outputs: WriteOutputs) -> None:
    """Render a run folder; its own process tells by its exit code whether that went well."""
    try:
        render(folder, write_outputs)
    except CxrscanError:
        raise SystemExit(1) from None


class Rendering:
    """Renders the outputs of a folder, at most every so often.

    Parameters
    ----------
    every_s
        Seconds from one rendering's end to the next one's beginning, at least.
    """

    def __init__(self, folder: Path, write_outputs: WriteOutputs, every_s: float, clock: SteadyClock) -> None:
        self._folder = folder
        self._write_outputs = write_outputs
        self._every_s = every_s
        self._clock = clock
        self._process: BaseProcess | None = None
        self._not_before_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed, and no rendering is under way."""
        return self._process is None and self._clock.now_s() >= self._not_before_s

    def start(self) -> None:
        """Begin to render what the journal holds now."""
        self._process = _processes.Process(
            target=render_outputs, args=(self._folder, self._write_outputs), name="report", daemon=True
        )
        with safe_path(), signals_held_back(), without_main_module():
            self._process.start()

    def has_failed(self) -> bool:
        """Whether a rendering has just ended without success."""
        if self._process is None or self._process.is_alive():
            return False
        self._process.join()
        failed = self._process.exitcode != 0
        self._process.close()
        self._process = None
        self._not_before_s = self._clock.now_s() + self._every_s
        return failed

    def finish(self) -> None:
        """Wait for the rendering that is under way."""
        if self._process is not None:
            self._process.join()
            self.has_failed()
