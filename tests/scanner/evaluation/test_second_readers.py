"""Readers beside the model: whose film an opinion is on, and where they disagree."""

from dataclasses import replace

from cxrscan.scanner.evaluation.agreement import Opinion
from cxrscan.scanner.evaluation.film_notes import note
from cxrscan.scanner.evaluation.second_readers import gather_readings
from tests.reports.films import INFO, failed, scored

FILMS = [scored("a", 0.9), scored("b", 0.1), scored("c", 0.2), failed("d")]
NOTES = [note(film, INFO) for film in FILMS]


def said(film, who, what, sha256=""):
    return Opinion(film, sha256, who, what)


def test_opposite_answers_come_before_unsure_ones_and_agreement_last():
    opinions = [
        *(said("a", who, "pneumonia") for who in ("anna", "ben")),
        *(said("b", who, "unsure" if who == "ben" else "no-pneumonia") for who in ("anna", "ben")),
        *(said("c", who, "pneumonia") for who in ("anna", "ben")),
    ]
    found = gather_readings(opinions, NOTES, "model")
    assert [(name, film.disagreement) for name, film in found.films.items()] == [("c", 4), ("b", 2), ("a", 0)]
    assert found.readers == ("anna", "ben")
    assert [(pair.first, pair.second, pair.n_films) for pair in found.agreement.pairs] == [
        *(("anna", "ben", 3), ("anna", "model", 3), ("ben", "model", 3)),
    ]


def test_a_film_without_a_call_has_readers_only():
    found = gather_readings([said("d", "anna", "pneumonia"), said("d", "ben", "no-pneumonia")], NOTES, "model")
    assert (found.films["d"].disagreement, found.agreement.pairs[0].n_films) == (2, 1)


def test_an_opinion_on_another_content_or_an_unknown_film_is_left_out_and_one_on_a_renamed_film_is_not():
    content = FILMS[0].result.sha256
    opinions = [
        said("a", "anna", "pneumonia", "ff" * 32),
        said("elsewhere/a", "ben", "pneumonia", content),
        said("gone", "ben", "pneumonia"),
    ]
    found = gather_readings(opinions, NOTES, "model")
    assert {name: dict(film.said) for name, film in found.films.items()} == {"a": {"ben": "pneumonia"}}
    assert found.n_left_out == 2


def test_an_opinion_is_on_no_film_where_two_have_its_content():
    twins = [note(replace(film, result=replace(film.result, sha256="ab" * 32)), INFO) for film in FILMS[:2]]
    assert gather_readings([said("x", "anna", "pneumonia", "ab" * 32)], twins, "model").n_left_out == 1
