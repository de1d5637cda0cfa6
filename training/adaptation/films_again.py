"""The films of a run, read once more from where the run found them: a fine-tuning sees pixels, not embeddings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cxrscan.scanner.errors import CxrscanError, TrainingError
from cxrscan.scanner.gate.statistics import GateStatistics
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import FloatImage, ImageSource, Reading
from cxrscan.scanner.runs.journal import Journal, stored_info, stored_reading
from cxrscan.scanner.sources.stored import stored_roots
from cxrscan.scanner.sources.walk import Root, find_images
from cxrscan.scanner.system.beneath import open_regular
from cxrscan.scanner.system.text import count
from cxrscan.training.adaptation.local_films import LocalFilms

_N_THREADS = 4
_MAX_BYTES_PER_PIXEL = 6
"""16 bits for each of three colours."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the films of a run are, and how it read them."""

    roots: tuple[Root, ...]
    follows_links: bool
    reading: Reading


def whereabouts(journal: Journal, places: Sequence[Root] = ()) -> Whereabouts:
    """Tell where to look for the films of a run.

    Parameters
    ----------
    places
        Where they are now; empty for where the run found them.

    Raises
    ------
    RunFolderError
        ``films-elsewhere``: the run found them on another computer, and nobody said that it may be asked.
    """
    info = stored_info(journal)
    follows = bool(info.arguments.get("follow_links"))
    return Whereabouts(tuple(places) or stored_roots(info), follows, stored_reading(journal))


def read_again(films: LocalFilms, where: Whereabouts, spec: ModelSpec) -> FloatImage:
    """Read films as the run read them, upright where its gate saw that they were not.

    Returns
    -------
    float32 array, shape (N, S, S, 1), values in [0, 1]: what the network saw.

    Raises
    ------
    TrainingError
        ``films-missing``: a film is gone, cannot be read, or is another one than the run scored.
    """
    wanted = dict(zip(films.names, films.sha256, strict=True))
    found = {
        source.name: source
        for source in find_images(where.roots, follow_links=where.follows_links)
        if source.name in wanted
    }
    lost = [name for name in films.names if name not in found]
    if lost:
        raise TrainingError(
            "films-missing", f"{count(len(lost), 'film is', 'films are')} not where the run found them, as {lost[0]}."
        )
    options = ReadOptions.for_model(spec, window=where.reading.window, max_megapixels=where.reading.max_megapixels)
    gate = None if spec.gate is None else GateStatistics.from_document(spec.gate)

    def read(name: str) -> FloatImage:
        pixels = read_film(_bytes_of(found[name], wanted[name], options), options)[0].pixels
        film = to_model_input(pixels, spec.input_px)
        upright = None if gate is None else gate.look_at(film[..., 0]).upright
        return film if upright is None else upright[..., np.newaxis]

    # one thread per matrix product, as in the scanner's workers: more would round otherwise
    with ThreadPoolExecutor(_N_THREADS) as pool, threadpool_limits(1, user_api="blas"):
        pixels = list(pool.map(lambda name: _told(read, name), films.names))
    return np.stack(pixels)


def _told(read: Callable[[str], FloatImage], name: str) -> FloatImage:
    try:
        return read(name)
    except CxrscanError as error:
        raise TrainingError("films-missing", f"{name} cannot be read again: {error.message}") from error
    except OSError as error:
        raise TrainingError("films-missing", f"{name} cannot be read again: {error.strerror}.") from error


def _bytes_of(source: ImageSource, sha256: str, options: ReadOptions) -> bytes:
    data = _read(source, int(options.max_megapixels * 1e6 * _MAX_BYTES_PER_PIXEL))
    if hashlib.sha256(data).hexdigest() != sha256:
        raise TrainingError("films-missing", "the file is another one than the run scored.")
    return data


def _read(source: ImageSource, limit: int) -> bytes:
    if source.data is not None:
        return source.data
    if not isinstance(source.path, Path):
        return source.path.read_bytes()
    with open_regular(str(source.path), within=source.within) as file:
        return file.read(limit)
