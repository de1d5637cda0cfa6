"""Merge runs of one model, or the shards of one run, into one run folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from heapq import merge
from itertools import groupby, islice, pairwise
from pathlib import Path

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import Film, RunInfo
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model, stored_shaping
from cxrscan.scanner.system.text import printable

_MAX_TOLD = 20
"""Missing shards that are told by number."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the runs to be merged."""

    journal: Journal
    info: RunInfo
    model: ModelSpec


def merge_runs(folders: Sequence[Path], out: Path, *, partial: bool = False) -> None:
    """Copy the journals of several runs into a new one, after checking that they fit.

    Runs over the same folders (shards) keep their names; others are told apart by the run folder's name.

    Parameters
    ----------
    folders
        The run folders.
    out
        The new run folder.
    partial
        Whether to merge in spite of missing shards and unfinished runs; the merged run says so in its notes.

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``runs-differ``, ``runs-overlap``, ``runs-incomplete``, or ``other-run`` when ``out`` already
        holds a run.
    """
    with ExitStack() as stack:
        journals = [stack.enter_context(Journal(folder, read_only=True)) for folder in folders]
        parts = [_Part(journal, stored_info(journal), stored_model(journal)) for journal in journals]
        parts.sort(key=lambda part: part.info.roots)
        groups = [list(group) for _, group in groupby(parts, key=lambda part: part.info.roots)]
        result_key = _common_result_key(parts)
        gaps = _gaps(parts, groups)
        if gaps and not partial:
            raise RunFolderError("runs-incomplete", " ".join(gaps))
        for group in groups:
            _refuse_overlap(group)
        merged = stack.enter_context(Journal(out, create=True))
        if merged.get("run") is not None:
            raise RunFolderError("other-run", f"{out} holds a run already.")
        merged.clear()  # what a merge that was broken off has left there
        info = _together([part.info for part in parts], gaps)
        for key in ("model", "reading", "shaping"):
            merged.put(key, parts[0].journal.get(key))
        merged.start_session(result_key)
        prefixes = _prefixes([group[0].journal.folder for group in groups]) if len(groups) > 1 else [""]
        for group, prefix in zip(groups, prefixes, strict=True):
            for part in group:
                merged.add_films(_prefixed(part.journal, prefix))
        merged.put("run", asdict(info))


def _common_result_key(parts: Sequence[_Part]) -> str:
    """What shaped the results of all runs; refuse runs that were made otherwise."""
    first = parts[0]
    for part in parts:
        differing = [
            what
            for what, ours, theirs in (
                ("model", first.model.weights_sha256, part.model.weights_sha256),
                ("version of cxrscan", first.info.version, part.info.version),
                ("threshold", first.info.threshold, part.info.threshold),
            )
            if ours != theirs
        ]
        if differing:
            between = f"{first.journal.folder} and {part.journal.folder}"
            raise RunFolderError("runs-differ", f"{between} differ in the {' and the '.join(differing)}.")
    keys = set[str]().union(*(part.journal.result_keys() for part in parts))
    if len(keys) > 1:
        settings = {setting for part in parts for setting in stored_shaping(part.journal).items()}
        names = sorted({name for name, _ in settings if len({digest for n, digest in settings if n == name}) > 1})
        raise RunFolderError("runs-differ", f"The runs differ in their settings: {', '.join(names) or 'some'}.")
    return keys.pop() if keys else ""


def _gaps(parts: Sequence[_Part], groups: Sequence[Sequence[_Part]]) -> list[str]:
    """Sentences on what is missing."""
    gaps = [
        f"{part.journal.folder} is not finished ({part.info.exit_reason})."
        for part in parts
        if part.info.exit_reason != "finished"
    ]
    for group in groups:
        shards = [part.info.shard.split("/") for part in group if part.info.shard]
        for of in sorted({int(of) for _, of in shards}):
            there = {int(number) for number, total in shards if int(total) == of}
            n_missing = of - len(there)
            if n_missing:
                first = islice((number for number in range(1, of + 1) if number not in there), _MAX_TOLD)
                numbers = ", ".join(map(str, first)) + (", …" if n_missing > _MAX_TOLD else "")
                gaps.append(f"Of {of} shards {n_missing} {'is' if n_missing == 1 else 'are'} missing: {numbers}.")
    return gaps


def _refuse_overlap(group: Sequence[_Part]) -> None:
    """Refuse runs over the same folders that hold a film twice."""
    for name, following in pairwise(merge(*(part.journal.names() for part in group))):
        if name == following:
            raise RunFolderError("runs-overlap", f"{name} is in more than one of the runs.")


def _prefixes(folders: Sequence[Path]) -> list[str]:
    """What stands before the names of each run's films: the folder's name, numbered where that is taken."""
    names = [printable(folder.resolve().name) for folder in folders]
    prefixes: list[str] = []
    for i, name in enumerate(names, start=1):
        prefix = name if names.count(name) == 1 else f"{name}~{i}"
        while prefix in prefixes or (prefix != name and prefix in names):
            prefix += "~"
        prefixes.append(prefix)
    return [f"{prefix}/" for prefix in prefixes]


def _prefixed(journal: Journal, prefix: str) -> Iterator[Film]:
    for film in journal.films():
        yield replace(film, result=replace(film.result, name=prefix + film.result.name))


def _together(infos: Sequence[RunInfo], gaps: Sequence[str]) -> RunInfo:
    """What is true of the runs as a whole; arguments are the first one's."""
    n_skipped: Counter[str] = Counter()
    for info in infos:
        n_skipped.update(info.n_skipped)
    unfinished = [info.exit_reason for info in infos if info.exit_reason != "finished"]
    return replace(
        infos[0],
        group=infos[0].group if infos[0].group in ("dicom", "folder") else "",
        roots=tuple(dict.fromkeys(root for info in infos for root in info.roots)),
        started_at=min(info.started_at for info in infos),
        finished_at=max(info.finished_at for info in infos),
        exit_reason=unfinished[0] if unfinished else "finished",
        labels=", ".join(dict.fromkeys(info.labels for info in infos if info.labels)),
        n_skipped=dict(sorted(n_skipped.items())),
        duration_s=round(sum(info.duration_s for info in infos), 3),
        notes=tuple(dict.fromkeys([*(note for info in infos for note in info.notes), *gaps])),
        shard="",
    )
