"""The histogram of a report without labels."""

import re
from xml.etree import ElementTree

import numpy as np

from cxrscan.reports.page.charts import unlabelled_charts
from cxrscan.reports.page.histogram import Plot, histogram_svg

PLOT = Plot(width=100, height=60, left=10, right=90, top=5, bottom=45, x_max=1.0, y_max=1.0)


def bars(svg):
    """Left, top and right of each bar, from the left."""
    return [
        tuple(map(float, found)) for found in re.findall(r'<path d="M([\d.]+) [\d.]+V([\d.]+)H([\d.]+)V[\d.]+z"/>', svg)
    ]


def test_bars_are_as_high_as_their_share_of_the_highest():
    found = bars(histogram_svg([4, 0, 1, 2], [0, 4], 0.5, "Probability", PLOT))
    assert [top for _, top, _ in found] == [5.0, 35.0, 25.0]  # nothing is drawn of an empty bin
    assert [left for left, _, _ in found] == [11.0, 51.0, 71.0]
    assert all(right - left == 18.0 for left, _, right in found)


def test_it_is_one_well_formed_picture_with_its_counts_and_the_threshold():
    svg = histogram_svg([2_000, 1_000], [0, 1_000, 2_000], 0.25, "Probability", PLOT)
    texts = [each.text for each in ElementTree.fromstring(svg).iter("text")]
    assert texts == ["0", "0.25", "0.5", "0.75", "1", "0", "1,000", "2,000", "Probability"]
    assert '<path d="M30.0 45V5" fill="none" stroke="currentColor" stroke-dasharray="2,2"/>' in svg


def test_the_chart_says_where_its_data_lie():
    (chart,) = unlabelled_charts(np.array([0.1, 0.2, 0.9, 0.9]), 0.5)
    (x, y), (right, up) = chart.origin, chart.unit
    left, top, _ = bars(chart.svg)[-1]  # two films at 0.9: the highest bar, which reaches 1
    assert abs(x + 0.9025 * right - left) < 0.01
    assert abs(y - 1.0 * up - top) < 0.01
