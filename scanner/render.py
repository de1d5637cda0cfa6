"""A journal rendered: the outputs, what is asked of them, and what became of the run."""

from __future__ import annotations

from collections.abc import Callable, Set
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.evaluation.copies import labelled_once
from cxrscan.scanner.records import POSITIVE, Band, Counts, Duplicates, Outputs, RunInfo, StudyRule
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.runs.asked import answer_again, keep_asked, stored_asked
from cxrscan.scanner.runs.drifted import keep_drift, stored_drift
from cxrscan.scanner.runs.grouping import grouped_films, refuse_without_identifiers, with_grouping
from cxrscan.scanner.runs.growing import grows
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
from cxrscan.scanner.runs.layout import JOURNAL_NAME
from cxrscan.scanner.runs.sharing import shareable
from cxrscan.scanner.system.locks import alone_in
from cxrscan.scanner.system.text import count
from cxrscan.scanner.system.whole_files import followed, make_folder

if TYPE_CHECKING:
    from cxrscan.scanner.evaluation.drift import Drift
    from cxrscan.scanner.evaluation.evaluate import Asked, Evaluation
    from cxrscan.scanner.evaluation.labels import LabelJoin, LabelRequest, Labels

#: Up to so many films of a run are kept while it is rendered, 15 KB each; more are read again for every output.
_FILMS_KEPT = 1_000

Ask = Callable[[Set[str]], "Asked"]
"""Columns of the label file that subgroups may come from -> what is asked; raises where it asks for others."""


class WriteOutputs(Protocol):
    """Renders the files of a run folder; ``cxrscan.reports.outputs.write_outputs``."""

    def __call__(
        self, folder: Path, run: Run, *, evaluation: Evaluation | None = None, drift: Drift | None = None
    ) -> Outputs:
        """Write the outputs and say where they are."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a run: owns the counts, the closing sentence and the exit code."""

    info: RunInfo
    outputs: Outputs
    labels: LabelJoin | None = None
    """How the labels fitted the films."""
    evaluation: Evaluation | None = None
    """What ``cxrscan evaluate`` asked of this run, with its labels and threshold of now; None where it did not."""
    n_new: int | None = None
    """Films that this session scanned; None where it only rendered."""
    advice: str = ""
    """What would make more of the run; empty for nothing."""

    @property
    def counts(self) -> Counts:
        """Files by outcome."""
        return self.outputs.counts

    @property
    def exit_code(self) -> int:
        """0 ok, 1 labels of other films, 3 some files failed, 130 interrupted, 143 terminated."""
        misfit = self.labels is not None and self.labels.misfit
        finished = 1 if misfit else 3 if self.counts.n_failed else 0
        return {"finished": finished, "interrupted": 130, "terminated": 143}[self.info.exit_reason]

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        counts, n_skipped = self.counts, sum(self.info.n_skipped.values())
        parts = [f"{count(counts.n_films, 'file')}: {counts.n_scored:,} scored{self._time}"]
        parts += [f"{counts.n_positive:,} called {POSITIVE}"]
        parts += [f"{counts.n_referred:,} to be read by a person"] if counts.n_referred else []
        parts += [f"{counts.n_warned:,} with a caveat"] if counts.n_warned else []
        parts += [count(counts.n_copies, "exact copy", "exact copies")] if counts.n_copies else []
        parts += (
            [f"{counts.n_rejected:,} rejected (not recognised as a frontal chest film)"] if counts.n_rejected else []
        )
        parts += [f"{counts.n_failed:,} failed ({self._causes}; see Problems in the report)"] if counts.n_failed else []
        parts += [f"{count(n_skipped, 'other file')} skipped"] if n_skipped else []
        return ", ".join(parts) + "."

    @property
    def _time(self) -> str:
        if self.info.exit_reason != "finished":
            return " before the interruption"
        if self.n_new is None:
            return ""
        if not self.n_new:
            return " by earlier sessions and none now"
        n_there = self.counts.n_films - self.n_new
        before = f", {n_there:,} of them by earlier sessions" if n_there > 0 else ""
        return f" in {self.info.duration_s:.1f} s{before}"

    @property
    def _causes(self) -> str:
        return ", ".join(f"{code} {n:,}" for code, n in self.outputs.failures.items())


def render(
    folder: Path,
    write_outputs: WriteOutputs,
    *,
    threshold: str | None = None,
    refer: Band | Literal["off"] | None = None,
    labels: LabelRequest | Labels | None = None,
    duplicates: Duplicates | None = None,
    group: str | None = None,
    study_rule: StudyRule | None = None,
    out: Path | None = None,
    ask: Ask | None = None,
    drift: Drift | None = None,
) -> Tally:
    """Render the outputs of a finished or interrupted run again, without the model or the films.

    A run that a service adds films to is rendered as it stands; what is asked for here is not kept in it.

    Parameters
    ----------
    threshold, refer, labels, duplicates, group, study_rule
        As in ``RunRequest``; None keeps the run's own, ``off`` refers no film and makes no studies.
    out
        Another folder for the outputs; the run folder then stays as it is. None for the run folder.
    ask
        What the evaluation of the run is to tell from now on; None for what was asked before, if anything.
    drift
        What was found to have changed, to be told from now on; None for what was found before, if anything.

    Raises
    ------
    CxrscanError
        The folder is no run, the threshold is unknown, the labels cannot be read, or ``out`` holds another run.
    """
    if out is not None:
        out = followed(out)
        _make_for_outputs(out)
    is_growing = grows(folder)
    with (
        alone_in(folder) if is_growing else nullcontext(),  # the service renders there, too
        Journal(folder, read_only=is_growing or out is not None) as journal,
    ):
        info = stored_info(journal)
        if threshold is not None:
            name, value = stored_model(journal).threshold(threshold)
            info = replace(info, threshold=value, threshold_name=name)
        if refer is not None:
            info = replace(info, refer=None if refer == "off" else refer)
        if duplicates is not None:
            info = replace(info, duplicates=duplicates)
        info = with_grouping(info, group, study_rule)
        if group == "dicom":
            refuse_without_identifiers(journal)
        joined = None
        if labels is not None:
            from cxrscan.scanner.evaluation.labels import LabelRequest, open_labels

            request = labels if isinstance(labels, LabelRequest) else None
            known = open_labels(labels, tuple(map(Path, info.roots))) if isinstance(labels, LabelRequest) else labels
            joined = journal.join(known)
            joined.refuse_misfit()
            journal.set_truth(joined.truth)
            journal.put("label_request", asdict(request) if request is not None else None)
            info = replace(info, labels=joined.source)
        if ask is not None:
            _ask(journal, ask, joined)
        if drift is not None:
            keep_drift(journal, drift)
        return render_journal(journal, info, write_outputs, joined, out)


def _ask(journal: Journal, ask: Ask, joined: LabelJoin | None) -> None:
    """Keep a new question; cells of a label file stay while the run's labels do."""
    if joined is not None:
        keep_asked(journal, ask({name for row in joined.rows.values() for name in row.columns}))
        return
    earlier = stored_asked(journal)
    cells = earlier.cells if earlier is not None else {}
    keep_asked(journal, replace(ask({name for said in cells.values() for name in said}), cells=cells))


def _make_for_outputs(out: Path) -> None:
    if (out / JOURNAL_NAME).exists():
        raise RunFolderError("other-run", f"{out} holds a run of its own.")
    make_folder(out)


def render_journal(
    journal: Journal,
    info: RunInfo,
    write_outputs: WriteOutputs,
    joined: LabelJoin | None,
    out: Path | None = None,
) -> Tally:
    """Write the outputs of an open journal; ``joined`` is how labels fitted its films, where they are new."""
    films = grouped_films(journal, info, None if joined is None else joined.rows)
    journal.put("run", asdict(info))
    kept = cache(lambda: tuple(films()))
    run = Run(info, stored_model(journal), kept if journal.n_results() <= _FILMS_KEPT else films)
    evaluation = answer_again(journal, run, None if joined is None else joined.rows)
    counted = run if info.duplicates == "keep" else replace(run, films=lambda: labelled_once(run.films()))
    drift = stored_drift(journal)
    outputs = write_outputs(out or journal.folder, shareable(counted), evaluation=evaluation, drift=drift)
    info = replace(info, profile_s={**info.profile_s, "render": outputs.render_s})
    return Tally(info, outputs, joined, evaluation)
