"""Figures, numbers and titles: one way to write each."""

import re
from pathlib import Path

import pytest

import cxrscan.scanner.viewer
from cxrscan import reports
from cxrscan.reports.wording import (
    METRICS,
    OUTCOMES,
    call_sentence,
    difference_text,
    figure_text,
    interval_text,
    percent_text,
    prob_text,
    terminal_text,
    with_interval,
)
from cxrscan.scanner.metrics import ConfusionMatrix, figure_estimates, figure_table
from cxrscan.scanner.records import Estimate

PACKAGES = [Path(next(iter(package.__path__))) for package in (reports, cxrscan.scanner.viewer)]
# What is no figure of films: places in a picture or page, seconds, sizes, values for machines.
NO_FIGURES = re.compile(
    r"%;|rem\b|/ last|style=|_s:|_s\b|\bs \{|ms per film|a second|GB|bytes|:\.6g|minutes|metrics\[name\]|plain\[name\]"
)


def test_every_figure_of_the_table_has_a_title_and_a_form():
    assert {figure["key"] for figure in figure_table()} <= {metric.key for metric in METRICS}
    assert figure_estimates(ConfusionMatrix(1, 2, 3, 4)).keys() == {figure["key"] for figure in figure_table()}


def test_numbers_are_rounded_in_one_place():
    found = [
        f"{path.name}: {line.strip()}"
        for package in PACKAGES
        for path in package.rglob("*.py")
        if path.name != "wording.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\{[^{}]*:[,+<>\d]*\.\d+[fg%]\}", line) and not NO_FIGURES.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("form", "text"), [("share", "6.3 %"), ("score", "0.063"), ("ratio", "0.0625"), ("plain", "0.063")]
)
def test_one_in_sixteen(form, text):
    assert figure_text(1 / 16, form) == text


def test_a_figure_stands_beside_its_interval():
    assert with_interval("sensitivity", Estimate(0.979, 0.96, 0.99)) == "97.9 % (96.0–99.0)"
    assert interval_text(Estimate(0.1, -0.25, 0.4), "plain") == "−0.250 to 0.400"
    assert with_interval("auc", Estimate(0.5, reason="one film")) == "0.500"


def test_a_difference_of_shares_is_in_points_and_every_terminal_can_write_it():
    text = difference_text("sensitivity", Estimate(-0.021, -0.05, 0.008))
    assert terminal_text(text) == "-2.1 points (-5.0 to 0.8)"
    assert difference_text("auc", Estimate(0.01, 0.002, 0.018)) == "0.010 (0.002–0.018)"


TEXTS = {".py", ".html", ".mjs", ".md", ".json"}
OLD_NAMES = (
    *("confidence in this call", "truly PNEUMONIA", "truly NORMAL", "speaks against this film"),
    *("Brackets are", "range in brackets", "believe the interval", "Taken for films", "Accepted and scored"),
    *("Caveats of the gate", "as far as the gate can tell", "moved the score", "every other finding"),
    *(
        "exploration, not a result",
        "called REFER",
        "the band must rise",
        "Films that a worker is handed",
        "Your verdict",
    ),
    *('"Gate reasons"', '"Gate distance"', "Films independent", "Agree / Disagree", "expected calibration error"),
    *("flips beyond 0 05", "n flips", "files: some films in several versions", "cxrscan[train]"),
)
"""What these sentences and names were called; each has one better one."""


@pytest.mark.parametrize("name", OLD_NAMES)
def test_an_old_name_is_used_nowhere(name):
    root = Path(next(iter(reports.__path__))).resolve().parent
    files = [path for folder in ("reports", "scanner", "templates") for path in (root / folder).rglob("*.*")]
    files += [root / "README.md", *(root / "docs").glob("*.md")]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in TEXTS}
    assert [str(path) for path, text in texts.items() if name in " ".join(text.split())] == []


def test_an_outcome_is_called_once():
    assert len({outcome.title for outcome in OUTCOMES.values()}) == len(OUTCOMES)


@pytest.mark.parametrize(
    ("prob", "text", "percent"),
    [(1.0, "> 0.99", "> 99 %"), (0.9997, "> 0.99", "> 99 %"), (0.994, "0.99", "99 %"), (0.0049, "< 0.01", "< 1 %")],
)
def test_a_probability_is_never_written_as_the_certainty_that_it_is_not(prob, text, percent):
    assert prob_text(prob) == text
    assert percent_text(prob) == percent


@pytest.mark.parametrize(
    ("prob", "called", "text"),
    [
        (0.632, "NORMAL", "63 % \N{MIDDLE DOT} below the threshold of 67 %"),
        (0.6689, "NORMAL", "66.9 % \N{MIDDLE DOT} below the threshold of 67.0 %"),
        (0.9997, "PNEUMONIA", "> 99 % \N{MIDDLE DOT} at or above the threshold of 67 %"),
    ],
)
def test_a_call_follows_from_the_probability_in_words(prob, called, text):
    assert (
        call_sentence(prob, called, 0.6697) == f"Probability of pneumonia {text} \N{RIGHTWARDS ARROW} called {called}"
    )


def test_a_referred_film_is_for_a_reader():
    assert call_sentence(0.45, "REFER", 0.5, (0.3, 0.7)).endswith("from 30 to 70 % a reader is to read the film")
