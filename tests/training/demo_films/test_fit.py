from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import CANVAS_PX, CLASSES, FRAME_PX, FilmModel, draw_film
from cxrscan.training.demo_films.align import Alignment, align_films, sample
from cxrscan.training.demo_films.fit import Layer, TrainingFilms, describe, main, nearest_neighbours, sharpen
from tests.builders import encode


@pytest.fixture(scope="module")
def model() -> FilmModel:
    return FilmModel.load()


def framed(film: FloatImage) -> FloatImage:
    return resize(film, FRAME_PX[1], FRAME_PX[0])


def test_the_inverse_of_an_alignment_leads_back_to_the_pixel() -> None:
    y, x = np.mgrid[0 : CANVAS_PX[0], 0 : CANVAS_PX[1]].astype(np.float32)
    warp = np.stack([6 * np.sin(y / 40), 4 * np.cos(x / 50)], axis=-1)
    alignment = Alignment(np.array([[1.1, 0.05, -9], [-0.04, 0.95, 6]], np.float32), warp)
    back = alignment.inverse_places()
    there = sample(alignment.places()[..., 0], back), sample(alignment.places()[..., 1], back)
    middle = np.s_[20:-20, 20:-20]
    own_y, own_x = np.mgrid[0 : FRAME_PX[0], 0 : FRAME_PX[1]]
    assert np.abs(there[0] - own_x)[middle].max() < 0.1
    assert np.abs(there[1] - own_y)[middle].max() < 0.1


def test_films_that_differ_by_a_shift_are_laid_onto_each_other(model: FilmModel) -> None:
    film = framed(draw_film(model, 0, np.random.default_rng(0), FRAME_PX[1]))
    shifts = (-6, 0, 6)
    alignments = align_films(np.stack([np.roll(film, shift, axis=1) for shift in shifts]))
    lungs = np.s_[100:180, 100:230]
    found = [
        float((alignment.places()[lungs] - alignments[1].places()[lungs])[..., 0].mean()) for alignment in alignments
    ]
    assert found == pytest.approx(shifts, abs=0.5)


def test_components_of_rank_one_data_are_found_and_unknown_values_filled_in() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    direction = rng.standard_normal((6, 8)).astype(np.float32)
    values = labels[:, np.newaxis, np.newaxis] + rng.standard_normal((80, 1, 1)) * direction
    known = rng.random(values.shape) > 0.2
    hidden = np.where(known, values, 99).astype(np.float32)
    means, components, scores = describe(Layer(hidden, known), labels, 1, n_rounds=30)
    again = means[labels] + scores[:, 0, np.newaxis, np.newaxis] * components[0]
    assert np.abs(again - values).max() < 0.05
    assert scores.var() == pytest.approx(1.0, abs=0.05)


def test_sharpening_lifts_fine_detail_and_leaves_coarse_detail() -> None:
    y, x = np.mgrid[0 : CANVAS_PX[0], 0 : CANVAS_PX[1]].astype(np.float32)
    coarse, fine = np.sin(x / 20), np.sin(y * 1.5)
    film = coarse + fine
    means = np.stack([coarse + 0.5 * fine] * 2)
    sharp, _ = sharpen(means, np.zeros((1, *CANVAS_PX), np.float32), np.stack([film] * 4))
    middle = np.s_[60:-60, 60:-60]
    gain = [float((sharp[0] * wave)[middle].mean() / (means[0] * wave)[middle].mean()) for wave in (coarse, fine)]
    assert gain == pytest.approx([1.0, 2**0.5], abs=0.1)


def test_a_drawn_film_that_repeats_a_training_film_is_noticed(model: FilmModel) -> None:
    rng = np.random.default_rng(1)  # as the check draws its films
    films = np.stack([framed(draw_film(model, label, rng, FRAME_PX[1])) for label in (0, 1)])
    training = TrainingFilms(films, np.array([0, 1]), np.zeros(2, np.float32), np.array(["a", "b"]))
    for drawn, real in nearest_neighbours(model, training).values():
        assert drawn.max() == pytest.approx(1.0, abs=1e-4)
        assert real.max() < 0.99


def test_the_script_fits_a_model_that_draws_films(model: FilmModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for number in range(5):
            film = np.rint(draw_film(model, label, rng, 320) * 255).astype(np.uint8)
            (tmp_path / name / f"person{number + 5 * label}_x_1.jpeg").write_bytes(encode(film, "JPEG"))
    done = CliRunner().invoke(main, [str(tmp_path), "-o", str(tmp_path / "model.npz"), "--films", "5"])
    assert "from 10 films of 10 patients" in done.output, done.output
    film = draw_film(FilmModel.load(tmp_path / "model.npz"), 0, np.random.default_rng(0), 300)
    assert film.std() > 0.1
