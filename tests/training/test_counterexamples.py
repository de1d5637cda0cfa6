"""Pictures without a frontal chest that teach the gate: what they are made of, and that a seed gives them again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cxrscan.scanner.records import FloatImage
from cxrscan.training import counterexamples
from cxrscan.training.counterexamples import SIDE_PX, folded
from cxrscan.training.side_views import side_view

DRAWN = [
    counterexamples.leaves,
    counterexamples.limb,
    counterexamples.shapes,
    counterexamples.solids,
    counterexamples.texture,
    counterexamples.waves,
    side_view,
]


@pytest.mark.parametrize("draw", DRAWN)
def test_drawn_pictures_differ_and_a_seed_gives_them_again(draw: Callable[[np.random.Generator], FloatImage]) -> None:
    first, again, other = (draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (first.shape, first.dtype) == ((SIDE_PX, SIDE_PX), np.float32)
    assert 0.0 <= first.min() < first.max() <= 1.0
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


def test_a_folded_film_shows_both_halves_as_one() -> None:
    film = np.zeros((90, 100), np.float32)
    film[:, 70:80] = 1.0
    both = folded(film, np.random.default_rng(0))
    assert both.shape == film.shape
    lit = both.max(axis=0) > 0.25
    assert 10 < lit.sum() < 40, "stretched to the width of the film"
    assert both.max() < 0.75, "and half as bright, because the other half is dark there"


def test_side_views_have_their_spine_on_either_side() -> None:
    films = [side_view(np.random.default_rng(seed)) for seed in range(12)]
    leads = [film[60:160, :60].mean() - film[60:160, -60:].mean() for film in films]
    assert min(leads) < -0.02
    assert max(leads) > 0.02
