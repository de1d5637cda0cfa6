from __future__ import annotations

import numpy as np
import pytest

from cxrscan.scanner.metrics.calibration import expected_calibration_error
from cxrscan.scanner.model_bundle import Calibration
from cxrscan.scanner.records import Predictions
from cxrscan.training.calibrate import (
    Calibrated,
    Scored,
    choose_operating_points,
    cross_entropy,
    error_at_prior,
    fit_calibration,
    fit_finder,
    sigmoid,
)


def drawn_films(n: int = 4000, distance: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and log-odds that are right for two normal distributions of equal spread."""
    rng = np.random.default_rng(0)
    truth = rng.random(n) < 0.7
    score = rng.normal(np.where(truth, distance / 2, -distance / 2), 1.0)
    return truth, score * distance


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("offset", [-3.0, 0.0])
def test_calibration_undoes_exaggeration_and_offset_in_spite_of_unequal_classes(factor: float, offset: float) -> None:
    truth, logits = drawn_films()
    found = fit_calibration([Scored(truth, logits * factor - offset)])
    assert found.scale == pytest.approx(1 / factor, rel=0.06)
    assert found.offset * factor == pytest.approx(offset, abs=0.2 * factor)


def test_separable_films_give_a_finite_scale() -> None:
    truth = np.array([False, False, True, True])
    found = fit_calibration([Scored(truth, np.array([-2.0, -1.0, 1.0, 2.0]))])
    assert 10 < found.scale <= 20 + 1e-6
    assert abs(found.offset) < 0.9 * 20


@pytest.mark.parametrize("prior", [0.1, 0.2, 0.7])
def test_probabilities_are_right_where_the_assumed_share_of_films_shows_pneumonia(prior: float) -> None:
    truth, logits = drawn_films(20_000)
    found = fit_calibration([Scored(truth, logits)], prior)
    prob = sigmoid(found.scale * logits + found.offset)
    assert error_at_prior(truth, prob, prior) < 0.01
    weights = np.where(truth, prior / truth.mean(), (1 - prior) / (1 - truth.mean()))
    assert np.average(prob, weights=weights) == pytest.approx(prior, abs=0.01)


def test_the_calibration_error_at_a_share_is_the_usual_one_where_the_films_have_that_share() -> None:
    truth, logits = drawn_films()
    prob = sigmoid(logits * 0.5 + 1)
    assert error_at_prior(truth, prob, truth.mean()) == pytest.approx(expected_calibration_error(truth, prob).value)
    assert error_at_prior(truth, prob, 0.1) > error_at_prior(truth, prob, truth.mean()) + 0.1


def test_each_population_gets_its_calibration_and_is_found_by_its_features() -> None:
    rng = np.random.default_rng(3)
    names = ["small", "large", "old"] * 200
    embeddings = rng.random((600, 8)).astype(np.float32)
    for place, name in enumerate(("small", "large", "old")):
        embeddings[np.array(names) == name, place] += 4
    finder = fit_finder(embeddings, names)
    assert finder is not None
    assert [finder.find(embedding) for embedding in embeddings[:30]] == names[:30]
    calibrations = {"small": Calibration(1.0), "large": Calibration(2.0, 1.0), "old": Calibration(0.5, -1.0)}
    said = Predictions(np.full(3, 1.5, np.float32), embeddings[:3], np.zeros((3, 7, 7), np.float32))
    prob = Calibrated(0.3, calibrations, finder).probabilities(said)
    assert prob == pytest.approx(sigmoid(np.array([1.5, 4.0, -0.25])))


def test_one_population_needs_no_finder() -> None:
    assert fit_finder(np.ones((4, 8), np.float32), [""] * 4) is None
    said = Predictions(np.array([0.0], np.float32), np.ones((1, 8), np.float32), np.zeros((1, 7, 7), np.float32))
    assert Calibrated(0.5, {"": Calibration(1.0)}, None).probabilities(said) == pytest.approx([0.5])


def test_cross_entropy_counts_both_classes_the_same() -> None:
    truth = np.array([True, True, True, False])
    assert cross_entropy(truth, np.array([0.0, 0.0, 0.0, 0.0])) == pytest.approx(np.log(2))
    assert cross_entropy(truth, np.array([50.0, 50.0, 50.0, 2.0])) == pytest.approx(np.logaddexp(0, 2) / 2)


def test_the_operating_points_keep_their_promises() -> None:
    truth, logits = drawn_films()
    prob = sigmoid(logits)
    points = choose_operating_points([Scored(truth, prob)], "drawn films")
    assert set(points) == {"youden", "sens95", "spec95", "half"}
    assert points["half"].threshold == 0.5
    sens95, spec95, youden = points["sens95"], points["spec95"], points["youden"]
    assert np.mean(prob[truth] >= sens95.threshold) == sens95.sensitivity.value
    assert 0.95 <= sens95.sensitivity.value < 0.951
    assert np.mean(prob[~truth] < spec95.threshold) == spec95.specificity.value
    assert 0.95 <= spec95.specificity.value < 0.951
    best = youden.sensitivity.value + youden.specificity.value
    assert all(best >= p.sensitivity.value + p.specificity.value for p in points.values())
    assert all(p.sensitivity.low < p.sensitivity.value < p.sensitivity.high for p in points.values())


def test_separable_films_get_thresholds_in_the_gap() -> None:
    truth = np.array([False] * 30 + [True] * 30)
    prob = np.concatenate([np.linspace(0.01, 0.2, 30), np.linspace(0.9, 0.99, 30)])
    points = choose_operating_points([Scored(truth, prob)], "drawn films")
    assert 0.2 < points["youden"].threshold < 0.9
    assert points["youden"].sensitivity.value == points["youden"].specificity.value == 1.0


def test_useless_scores_still_give_points() -> None:
    truth = np.array([True, False] * 10)
    points = choose_operating_points([Scored(truth, np.full(20, 0.4))], "drawn films")
    assert points["sens95"].sensitivity.value == 1.0
    assert points["spec95"].specificity.value == 1.0


def test_a_point_holds_on_the_worse_of_two_copies() -> None:
    truth, logits = drawn_films()
    copies = [sigmoid(logits), sigmoid(logits - 2)]
    points = choose_operating_points([Scored(truth, copy) for copy in copies], "drawn films")
    sens95, spec95 = points["sens95"], points["spec95"]
    assert np.mean(copies[1][truth] >= sens95.threshold) == sens95.sensitivity.value
    assert np.mean(copies[0][~truth] < spec95.threshold) == spec95.specificity.value
    assert sens95.sensitivity.value >= 0.95
    assert spec95.specificity.value >= 0.95


def test_a_point_holds_for_the_worst_population_whatever_its_size() -> None:
    (truth, logits), (few_truth, few_logits) = drawn_films(), drawn_films(400, distance=1.5)
    populations = [Scored(truth, sigmoid(logits)), Scored(few_truth, sigmoid(few_logits))]
    points = choose_operating_points(populations, "drawn films")
    for copy in populations:
        assert np.mean(copy.scores[copy.truth] >= points["sens95"].threshold) >= points["sens95"].sensitivity.value
        assert np.mean(copy.scores[~copy.truth] < points["spec95"].threshold) >= points["spec95"].specificity.value
    assert points["sens95"].sensitivity.value >= 0.95


def test_copies_count_the_same_in_calibration() -> None:
    truth, logits = drawn_films()
    few = slice(0, 400)
    found = fit_calibration([Scored(truth, logits), Scored(truth[few], logits[few] - 2)])
    offset = found.offset / found.scale
    assert offset == pytest.approx(1, abs=0.3)
