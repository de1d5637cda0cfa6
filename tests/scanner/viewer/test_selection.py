"""Which films of a run are shown, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cxrscan.reports.wording import OUTCOMES
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.viewer.selection import Choice, choose, outcomes_of
from cxrscan.scanner.viewer.verdicts import Verdict
from tests.reports.films import INFO, MODEL, small_run

FILMS = small_run()
VERDICTS = {
    "NORMAL/a.jpg": Verdict("no-pneumonia"),
    "NORMAL/d.jpg": Verdict("pneumonia"),
    "NORMAL/b.jpg": Verdict("", "note"),
}


def names(threshold: float = 0.5, **choice: object) -> list[str]:
    info = replace(INFO, threshold=threshold)
    chosen = choose(FILMS, Choice(**choice), VERDICTS, Run(info, MODEL))  # type: ignore[arg-type]
    return [film.result.name.rpartition("/")[2] for film in chosen]


def test_everything_is_shown_by_path_at_first() -> None:
    assert names() == [film.result.name.rpartition("/")[2] for film in FILMS]


def test_the_worst_errors_come_first_then_right_calls_by_their_distance_then_films_without_label_or_score() -> None:
    assert names(order="errors") == [
        *("d.jpg", "i.jpg"),  # wrong: 0.72 for NORMAL, 0.33 for PNEUMONIA
        *("f.jpg", "e.jpg", "c.jpg", "b.jpg", "g.jpg", "h.jpg", "a.jpg"),
        *("j.jpg", "drawing.png", "notes.jpg"),
    ]


def test_what_is_an_error_follows_the_threshold() -> None:
    assert names(order="errors", threshold=0.95)[:3] == ["i.jpg", "f.jpg", "g.jpg"]


def test_films_are_ordered_by_probability_those_without_last() -> None:
    unscored = ["j.jpg", "drawing.png", "notes.jpg"]
    assert names(order="high")[:2] == ["h.jpg", "g.jpg"]
    assert names(order="low")[:2] == ["a.jpg", "b.jpg"]
    assert names(order="uncertain")[:2] == ["f.jpg", "e.jpg"]
    assert all(names(order=order)[-3:] == unscored for order in ("high", "low", "uncertain"))


def test_outcomes_of_one_group_add_up_and_groups_narrow_each_other() -> None:
    assert names(outcomes=frozenset({"fp", "fn"})) == ["d.jpg", "i.jpg"]
    assert names(outcomes=frozenset({"warned"})) == ["c.jpg", "h.jpg"]
    assert names(outcomes=frozenset({"warned", "positive"})) == ["h.jpg"]
    assert names(outcomes=frozenset({"rejected", "fp"})) == ["d.jpg", "drawing.png"]
    assert names(outcomes=frozenset({"rejected", "failed"})) == ["j.jpg", "drawing.png", "notes.jpg"]


def test_verdicts_filter_and_a_comment_alone_is_none() -> None:
    assert names(outcomes=frozenset({"pneumonia", "no-pneumonia"})) == ["a.jpg", "d.jpg"]


def test_all_words_of_a_search_must_occur_in_the_row() -> None:
    assert names(query="pneumonia adult") == ["h.jpg"]
    assert names(query="NOT-an-image") == ["notes.jpg"]


def test_a_range_of_probabilities_leaves_films_without_one_out() -> None:
    assert names(low=0.3, high=0.5) == ["c.jpg", "e.jpg", "f.jpg", "i.jpg"]


@pytest.mark.parametrize("key", OUTCOMES)
def test_every_outcome_can_occur(key: str) -> None:
    verdict = Verdict(key) if OUTCOMES[key].kind == "verdict" else None
    refer = (0.4, 0.6) if key == "referred" else None
    assert any(key in outcomes_of(film, 0.5, verdict, refer) for film in FILMS)


def test_another_threshold_does_not_change_the_order_under_the_reader() -> None:
    choice, films = Choice("uncertain"), [film for film in FILMS if film.result.prob_pneumonia is not None]
    before = choose(films, choice, {}, Run(INFO, MODEL))
    moved = Run(replace(INFO, threshold=0.05, threshold_name="custom"), MODEL)
    assert choose(films, choice, {}, moved, ordered_at=INFO.threshold) == before
    assert choose(films, choice, {}, moved) != before
