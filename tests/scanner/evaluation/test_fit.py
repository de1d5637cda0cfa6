"""A run over films that the model does not know says so before it says anything else."""

from __future__ import annotations

import pytest

from cxrscan.scanner.evaluation.fit import OUTSIDE, fit_sentence, judge_fit
from cxrscan.scanner.evaluation.survey import survey_films
from cxrscan.scanner.records import GATE_REASONS
from tests.reports.films import rejected, scored


@pytest.mark.parametrize(
    ("n_outside", "n_judged", "level"),
    [
        (0, 624, "good"),
        (62, 624, "good"),
        (63, 624, "doubtful"),
        (124, 624, "doubtful"),
        (125, 624, "poor"),
        (1, 1, "poor"),
    ],
)
def test_the_share_of_films_outside_decides(n_outside: int, n_judged: int, level: str) -> None:
    fit = judge_fit(n_outside, n_judged)
    assert fit is not None
    assert fit.level == level
    assert bool(fit_sentence(fit)) == (level != "good")


def test_without_a_gate_nothing_is_claimed() -> None:
    assert judge_fit(0, 0) is None
    assert fit_sentence(None) == ""


def test_only_scored_films_count_and_each_once() -> None:
    films = [
        scored("a", 0.9, warns=("adult", "other-view", "unlike-training-films")),
        scored("b", 0.1, warns=("blurred", "age-unknown")),
        scored("c", 0.1),
        rejected("d", "not-a-chest-film"),
    ]
    fit = survey_films(films, 0.5).fit
    assert fit is not None
    assert (fit.n_outside, fit.n_judged, fit.level) == (1, 3, "poor")
    assert fit_sentence(fit) == (
        "These films are not like those that the model was trained on: 1 of 3 scored films differs. "
        "Do not use the probabilities or the calls."
    )


def test_the_reasons_that_count_are_reasons_of_the_gate() -> None:
    assert set(GATE_REASONS) >= OUTSIDE
