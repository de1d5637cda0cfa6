"""What a run's films amount to."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.evaluation.survey import EXAMPLES, survey_films
from cxrscan.scanner.records import FilmAttributes
from tests.reports.films import failed, rejected, scored, small_run

ANY_FILM = st.one_of(
    st.builds(
        lambda prob, truth, warns: scored("s", prob, truth, warns=warns, picture=b"x"),
        st.floats(0, 1),
        st.sampled_from(["PNEUMONIA", "NORMAL", None]),
        st.sampled_from([(), ("adult",)]),
    ),
    st.just(rejected("r", "blank")),
    st.just(failed("f")),
)


def test_counts_by_outcome():
    counts = survey_films(small_run(), 0.5).counts
    assert (counts.n_films, counts.n_scored, counts.n_rejected, counts.n_failed) == (12, 9, 1, 2)
    assert (counts.n_positive, counts.n_warned) == (4, 2)


@given(st.lists(ANY_FILM, max_size=8), st.floats(0, 1))
def test_every_file_is_counted_once(films, threshold):
    survey = survey_films(films, threshold)
    counts = survey.counts
    assert counts.n_scored + counts.n_rejected + counts.n_failed == counts.n_films == len(films)
    assert sum(problem.n for problem in survey.failures.values()) == counts.n_failed
    assert sum(problem.n for problem in survey.rejects.values()) == counts.n_rejected
    assert counts.n_positive == int(np.sum(survey.all_probs >= threshold))


def test_labelled_films_without_a_score_are_counted_by_truth():
    survey = survey_films(small_run(), 0.5)
    assert survey.unscored_truth == {"PNEUMONIA": 1}
    assert survey.truth.tolist() == [False] * 5 + [True] * 4


def test_wrong_films_come_first_and_clear_negatives_last():
    films = [
        scored("clear negative", 0.01, "NORMAL"),
        scored("false negative", 0.01, "PNEUMONIA"),
        scored("warned", 0.01, "NORMAL", warns=("adult",)),
        scored("positive", 0.99, "PNEUMONIA"),
        scored("near the threshold", 0.45, "NORMAL"),
        failed("failed"),
    ]
    assert [rank for rank, _ in survey_films(films, 0.5).images] == [3, 0, 1, 2, 2, 1]


def test_only_the_first_examples_of_a_problem_are_kept_by_name():
    survey = survey_films((failed(f"{i}.jpg") for i in range(EXAMPLES + 5)), 0.5)
    assert survey.failures["truncated"].n == EXAMPLES + 5
    assert len(survey.failures["truncated"].examples) == EXAMPLES


def test_identifiers_of_any_film_are_found():
    films = [
        scored("a", 0.5),
        scored("b", 0.5, attributes=FilmAttributes(ids=(("patient_id", "1"), ("study_uid", "2")))),
    ]
    assert survey_films(films, 0.5).id_names == ("patient_id", "study_uid")
