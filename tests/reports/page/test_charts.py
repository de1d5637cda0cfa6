"""The charts."""

import re

import numpy as np
import pytest

from cxrscan.reports.page.charts import labelled_charts, unlabelled_charts


def labelled(n: int):
    rng = np.random.default_rng(1)
    truth = rng.random(n) < 0.6
    return truth, 1 / (1 + np.exp(-rng.normal(np.where(truth, 2.0, -2.0), 1.5)))


@pytest.fixture(scope="module")
def charts():
    truth, prob = labelled(300)
    return {chart.key: chart for chart in labelled_charts(truth, prob, 0.5)}


def test_labelled_films_give_four_charts(charts):
    assert set(charts) == {"roc", "pr", "histogram", "reliability"}


def test_charts_take_their_colours_from_the_page(charts):
    for chart in charts.values():
        assert not re.search(r'style=|<style|#[0-9a-f]{6}"', chart.svg)
        assert "var(--" in chart.svg


def test_charts_name_no_element_twice(charts):
    ids = re.findall(r'\sid="([^"]*)"', "".join(chart.svg for chart in charts.values()))
    assert len(ids) == len(set(ids))


def test_drawing_again_gives_the_same_text(charts):
    truth, prob = labelled(300)
    assert labelled_charts(truth, prob, 0.5) == tuple(charts[key] for key in ("roc", "pr", "histogram", "reliability"))


def test_the_run_s_mark_lies_where_the_coordinates_say(charts):
    truth, prob = labelled(300)
    chart = charts["roc"]
    x = chart.origin[0] + (prob[~truth] >= 0.5).mean() * chart.unit[0]
    y = chart.origin[1] - (prob[truth] >= 0.5).mean() * chart.unit[1]
    marks = [
        (float(a), float(b)) for a, b in re.findall(r'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)"', chart.svg)
    ]
    assert min(np.hypot(x - a, y - b) for a, b in marks) < 0.01


def test_the_alternative_text_holds_the_figures(charts):
    truth, prob = labelled(300)
    assert f"sensitivity {(prob[truth] >= 0.5).mean():.3f}" in charts["roc"].alt


def test_one_class_has_no_roc_curve():
    keys = [chart.key for chart in labelled_charts(np.array([True, True]), np.array([0.2, 0.9]), 0.5)]
    assert keys == ["histogram", "reliability"]


def test_no_film_has_no_chart():
    assert labelled_charts(np.empty(0, np.bool_), np.empty(0), 0.5) == ()
    assert unlabelled_charts(np.empty(0), 0.5) == ()


def test_many_films_give_small_charts():
    truth, prob = labelled(100_000)
    drawn = labelled_charts(truth, prob, 0.5)
    assert sum(len(chart.svg) for chart in drawn) < 300_000
