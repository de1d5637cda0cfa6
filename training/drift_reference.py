"""What the validation films of a bundle look like, for ``cxrscan drift``: fitted to nothing, only looked at.

    python -m cxrscan.training.drift_reference BUNDLE [NAME=]DATA... [--splits splits.csv]

does for a bundle that is there what ``cxrscan train`` does at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np

from cxrscan.scanner.calibration import find_populations
from cxrscan.scanner.engines.base import Engine
from cxrscan.scanner.engines.litert import LiteRTEngine
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.model_bundle import SPEC_NAME, ModelSpec, load_bundle, read_document
from cxrscan.scanner.populations.portrait import portray
from cxrscan.scanner.populations.reference import MAX_FILMS, reference_document
from cxrscan.scanner.preprocess import to_model_input
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import NEGATIVE, POSITIVE, Film, FilmAttributes, ScanResult
from cxrscan.scanner.system.whole_files import followed
from cxrscan.scanner.thumbnail import make_thumbnail
from cxrscan.training.bundle_files import write_spec
from cxrscan.training.dataset import find_all_films, load_films, parse_data_set
from cxrscan.training.films import FilmFile
from cxrscan.training.splits import read_split, split_again

_THUMBNAIL_PX = 320
"""As a run makes them."""
_LEAST_FILMS = 10
_BATCH = 16


def add_reference(bundle: Path, films: Sequence[FilmFile]) -> None:
    """Look at the validation films of a bundle, and write what is seen into its ``model.json``.

    Parameters
    ----------
    films
        Those held out from training. Of each the largest version is taken: users scan originals. Where enough films of
        a population come in several versions, the others are left out: what is there of them is a copy for training.
    """
    spec = load_bundle(bundle)
    by_population: dict[str, list[Film]] = {}
    for film, scanned in _scan(_originals(films), spec, LiteRTEngine(spec, n_threads=2)):
        by_population.setdefault(film.population or "validation films", []).append(scanned)
    portraits = [
        portray(lambda scanned=scanned: scanned, spec, name, max_films=MAX_FILMS)  # type: ignore[misc]
        for name, scanned in by_population.items()
    ]
    document = read_document(bundle)
    if all(portrait.n >= _LEAST_FILMS for portrait in portraits):
        document["reference"] = reference_document(portraits, spec)
    write_spec(followed(bundle), document)


def _originals(films: Sequence[FilmFile]) -> list[FilmFile]:
    n_several = Counter(film.population for film in films if len(film.paths) > 1)
    return [film for film in films if len(film.paths) > 1 or n_several[film.population] < _LEAST_FILMS]


def _scan(films: Iterable[FilmFile], spec: ModelSpec, engine: Engine) -> Iterator[tuple[FilmFile, Film]]:
    """What a run would keep of each film; those that cannot be read are left out."""
    options = ReadOptions.for_model(spec)
    batch: list[tuple[FilmFile, bytes, np.ndarray]] = []

    def classified() -> Iterator[tuple[FilmFile, Film]]:
        said = engine.predict(np.stack([model_input for _, _, model_input in batch]))
        populations = find_populations(spec, said)
        answers = zip(batch, said.logits, said.embeddings, populations, strict=True)
        for (film, thumbnail, _), logit, embedding, population in answers:
            result = ScanResult(
                name=film.name,
                kind=None,
                attributes=FilmAttributes(ids=(("patient_id", film.patient),)),
                prob_pneumonia=spec.probability(float(logit), population),
                population=population,
                thumbnail=thumbnail,
                embedding=embedding.astype("<f2").tobytes(),
            )
            yield film, Film(result, POSITIVE if film.is_positive else NEGATIVE)
        batch.clear()

    for film in films:
        largest = max(film.paths, key=lambda path: path.stat().st_size)
        try:
            pixels = read_film(largest.read_bytes(), options)[0].pixels
        except (OSError, CxrscanError):
            continue
        batch.append((film, make_thumbnail(pixels, _THUMBNAIL_PX), to_model_input(pixels, spec.input_px)))
        if len(batch) == _BATCH:
            yield from classified()
    if batch:
        yield from classified()


@click.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("data", nargs=-1, required=True, metavar="[NAME=]DATA...")
@click.option(
    "--splits",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="splits.csv of the training run; without it the films are split again, as model.json says.",
)
@click.option(
    "--also",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="Other versions of the same films; may be repeated.",
)
def main(bundle: Path, data: tuple[str, ...], splits: Path | None, also: tuple[Path, ...]) -> None:
    """Look at the validation films of BUNDLE among the films of DATA, as `cxrscan train` takes them, again."""
    cv2.setNumThreads(1)
    spec = load_bundle(bundle)
    loaded = load_films(find_all_films([parse_data_set(text) for text in data], also), spec)
    validation = (read_split(splits, loaded) if splits else split_again(read_document(bundle), loaded))[1]
    add_reference(bundle, [loaded.films[i] for i in validation])
    click.echo(f"{len(validation)} validation films described in {bundle / SPEC_NAME}.", err=True)


if __name__ == "__main__":
    main()
