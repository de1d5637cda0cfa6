"""Operating points, by what they do."""

from dataclasses import replace

import numpy as np

from cxrscan.reports.page.points import offered_points
from cxrscan.scanner.model_bundle import OperatingPoint
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.run_record import Run
from tests.reports.films import INFO, MODEL


def model_of(**points: tuple[float, float, float]):
    """A model with operating points: name -> threshold, sensitivity, specificity on validation films."""
    made = {
        name: OperatingPoint(name, threshold, "a rule", "90 films", Estimate(sensitivity), Estimate(specificity))
        for name, (threshold, sensitivity, specificity) in points.items()
    }
    return replace(MODEL, operating_points=made)


# Both goals were met on validation films, so that each name promises what the other does.
REVERSED = model_of(sens95=(0.67, 0.95, 0.96), spec95=(0.23, 0.99, 0.95))


def test_points_rise_and_are_called_by_what_they_do_beside_the_runs_own():
    offered = offered_points(Run(replace(INFO, threshold=0.67, threshold_name="sens95"), REVERSED))
    assert [(point.purpose, point.text) for point in offered] == [("fewer misses", "0.23"), ("this run", "0.67")]
    offered = offered_points(Run(replace(INFO, threshold=0.23, threshold_name="spec95"), REVERSED))
    assert [(point.purpose, point.text) for point in offered] == [("this run", "0.23"), ("fewer false alarms", "0.67")]


def test_of_several_points_on_one_side_the_last_one_goes_furthest():
    five = {f"p{i}": (0.1 * i, 1 - 0.1 * i, 0.5 + 0.1 * i) for i in (1, 2, 3, 4, 5)}
    offered = offered_points(Run(replace(INFO, threshold=0.1 * 3, threshold_name="p3"), model_of(**five)))
    assert [point.purpose for point in offered] == [
        *("fewest misses", "fewer misses", "this run", "fewer false alarms", "fewest false alarms")
    ]


def test_a_point_says_what_it_does_here_when_films_are_labelled():
    truth, prob = np.array([True, True, False, False]), np.array([0.9, 0.4, 0.3, 0.1])
    info = replace(INFO, threshold=0.67, threshold_name="sens95")
    assert [point.does for point in offered_points(Run(info, REVERSED))] == [
        "sens 99.0 · spec 95.0",
        "sens 95.0 · spec 96.0",
    ]
    here = offered_points(Run(info, REVERSED), truth, prob)
    assert [point.does for point in here] == ["sens 100.0 · spec 50.0", "sens 50.0 · spec 100.0"]


def test_a_point_that_another_beats_is_not_offered():
    info = replace(INFO, threshold=0.5, threshold_name="used")
    model = model_of(used=(0.5, 0.9, 0.9), worse=(0.6, 0.8, 0.9), same=(0.55, 0.9, 0.9), other=(0.7, 0.7, 0.99))
    assert [point.text for point in offered_points(Run(info, model))] == ["0.50", "0.70"]


def test_the_runs_own_point_is_offered_even_if_another_beats_it():
    info = replace(INFO, threshold=0.6, threshold_name="worse")
    offered = offered_points(Run(info, model_of(better=(0.5, 0.9, 0.9), worse=(0.6, 0.8, 0.9))))
    assert [point.text for point in offered] == ["0.50", "0.60"]


def test_a_point_that_nobody_measured_is_kept_and_says_nothing():
    model = model_of(used=(0.5, 0.9, 0.9))
    points = {**model.operating_points, "own": OperatingPoint("own", 0.4, "", "", Estimate(None), Estimate(None))}
    offered = offered_points(Run(replace(INFO, threshold_name="used"), replace(model, operating_points=points)))
    assert [point.does for point in offered] == ["", "sens 90.0 · spec 90.0"]
