"""What adapting costs where the parent was good: the films that it was validated on, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrscan.scanner.errors import BundleError, LabelError
from cxrscan.scanner.metrics import FloatArray
from cxrscan.scanner.model_bundle import ModelSpec
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.runs.journal import Journal, stored_model
from cxrscan.training.adaptation.films_again import Whereabouts, read_again, whereabouts
from cxrscan.training.adaptation.local_films import LocalFilms, read_local_films
from cxrscan.training.adaptation.measure import HeldBack, Measured, differences
from cxrscan.training.adaptation.rungs import Adapted
from cxrscan.training.calibrate import sigmoid

_FEWEST = 10


@dataclass(frozen=True, slots=True)
class Remembered:
    """The parent's own validation films, before and after."""

    n_films: int
    before: Mapping[str, Estimate]
    """Figure -> value, at the parent's default operating point."""
    after: Mapping[str, Estimate]
    """At that of the adapted bundle."""
    auc_change: Estimate
    """After minus before, paired."""

    @property
    def is_loss(self) -> bool:
        """Whether films are told apart worse for certain."""
        return self.auc_change.high is not None and self.auc_change.high < 0


def remember(run: Path, parent: ModelSpec, measured: Measured) -> Remembered:
    """Measure an adapted model on a labelled run of its parent over the films that this was validated on.

    Raises
    ------
    CxrscanError
        The run is of another bundle, has too few labels, or its films cannot be read again for a fine-tuned network.
    """
    adapted, point = measured.adapted, measured.point
    with Journal(run, read_only=True) as journal:
        model = stored_model(journal)
        if model.weights_sha256 != parent.weights_sha256:
            raise BundleError("other-bundle", f"{run} was made with {model.label}, not with the bundle to adapt.")
        films = read_local_films(journal, None, {})
        said = {film.result.name: film.result.prob_pneumonia for film in journal.films()}
        where = None if adapted.tuned is None else whereabouts(journal)
    if min(films.n_positive, films.n_negative) < _FEWEST:
        raise LabelError(
            "labels-few", f"{run} has {films.n_positive} films with pneumonia, {films.n_negative} without."
        )
    was = np.array([said[name] or 0.0 for name in films.names])
    now = _prob(adapted, films, where, parent)
    before = HeldBack(was, {point: was >= model.operating_points[model.default_operating_point].threshold})
    after = HeldBack(now, {point: now >= adapted.points[point].threshold})
    return Remembered(
        films.n,
        before.figures(films.truth, point),
        after.figures(films.truth, point),
        differences(films, (was, now))["auc"],
    )


def _prob(adapted: Adapted, films: LocalFilms, where: Whereabouts | None, parent: ModelSpec) -> FloatArray:
    if where is None or adapted.tuned is None:
        return adapted.prob(films)
    from cxrscan.training.export import run_graph  # TensorFlow takes seconds to import

    logits = run_graph(adapted.tuned.graph, read_again(films, where, parent)).logits.astype(np.float64)
    return sigmoid((logits + adapted.offset) / adapted.temperature)
