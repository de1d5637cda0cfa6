"""Merge runs of one model into one run folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from scanner.errors import RunFolderError
from scanner.journal import Journal
from scanner.records import Film, RunInfo
from scanner.run import stored_info


def merge_runs(folders: Sequence[Path], out: Path) -> None:
    """Copy the journals of several runs into a new one.

    Runs over the same folders (shards) keep their names; others are told apart by the run folder's name.

    Raises
    ------
    RunFolderError
        ``not-a-run``, ``runs-differ``, or ``other-run`` when ``out`` already holds a run.
    """
    with ExitStack() as stack:
        journals = [stack.enter_context(Journal(folder)) for folder in folders]
        infos = [stored_info(journal) for journal in journals]
        models = [journal.get("model") for journal in journals]
        if any(model["weights_sha256"] != models[0]["weights_sha256"] for model in models):
            raise RunFolderError("runs-differ", "The runs were made with different models.")
        merged = stack.enter_context(Journal(out, create=True))
        if merged.get("run") is not None:
            raise RunFolderError("other-run", f"{out} holds a run already.")
        roots = list(dict.fromkeys(root for info in infos for root in info.roots))
        merged.put("roots", roots)
        merged.put("model", models[0])
        merged.start_session("merged")
        prefixes = _prefixes(folders) if len({info.roots for info in infos}) > 1 else [""] * len(folders)
        for journal, prefix in zip(journals, prefixes, strict=True):
            merged.add_films(_prefixed(journal, prefix))
        merged.put("run", asdict(_together(infos, tuple(roots))))


def _prefixes(folders: Sequence[Path]) -> list[str]:
    names = [folder.resolve().name for folder in folders]
    return [f"{name}/" if names.count(name) == 1 else f"{name}~{i}/" for i, name in enumerate(names, start=1)]


def _prefixed(journal: Journal, prefix: str) -> Iterator[Film]:
    for film in journal.films():
        yield replace(film, result=replace(film.result, name=prefix + film.result.name))


def _together(infos: Sequence[RunInfo], roots: tuple[str, ...]) -> RunInfo:
    """What is true of the runs as a whole; threshold and arguments are the first one's."""
    n_skipped: Counter[str] = Counter()
    for info in infos:
        n_skipped.update(info.n_skipped)
    unfinished = [info.exit_reason for info in infos if info.exit_reason != "finished"]
    return replace(
        infos[0],
        roots=roots,
        started_at=min(info.started_at for info in infos),
        finished_at=max(info.finished_at for info in infos),
        exit_reason=unfinished[0] if unfinished else "finished",
        labels=", ".join(dict.fromkeys(info.labels for info in infos if info.labels)),
        n_skipped=dict(sorted(n_skipped.items())),
        duration_s=round(sum(info.duration_s for info in infos), 3),
    )
