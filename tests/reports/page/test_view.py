"""The view model: what the report says, before any HTML."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cxrscan.reports.page.view import ReportView, build_view, model_card
from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.reports.wording import figure_text, interval_text, probability_text, title_of, with_interval
from cxrscan.scanner.evaluation.survey import survey_films
from cxrscan.scanner.metrics import summarise
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.text import duration_text
from tests.reports.films import INFO, MODEL, failed, scored, small_run, unlabelled

GOLDEN = Path(__file__).with_name("golden_view.json")


def view_of(films, info=INFO, **options) -> ReportView:
    survey = survey_films(films, info.threshold)
    summary = summarise(survey.truth, survey.prob, info.threshold) if survey.labelled else None
    return build_view(survey, summary, Run(info, MODEL), COLUMNS, **options)


def test_the_view_of_a_small_run_is_the_golden_one():
    view = asdict(view_of(small_run()))
    for chart in view["charts"]:
        del chart["svg"]  # matplotlib's, and its version's
    del view["config"]["reasons"]  # cxrscan.scanner.records' own list
    assert json.loads(json.dumps(view)) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_flow_leads_from_all_files_to_the_scored_ones():
    view = view_of(small_run())
    assert [(step.label, step.n, sum(n for _, n in step.excluded)) for step in view.flow] == [
        ("Files found", 15, 3),
        ("Image files", 12, 2),
        ("Could be read", 10, 1),
        ("Scored", 9, 0),
    ]
    assert [(outcome.n, outcome.truths) for outcome in view.outcomes] == [
        (4, (("PNEUMONIA", 3), ("NORMAL", 1))),
        (5, (("PNEUMONIA", 1), ("NORMAL", 4))),
    ]


def test_scored_films_without_a_label_are_told_apart_in_the_flow():
    view = view_of([*small_run(), scored("z.jpg", 0.9)])
    assert view.outcomes[0].truths[-1] == ("no label", 1)


def test_without_labels_there_is_a_distribution_and_no_performance():
    view = view_of(unlabelled(small_run()))
    assert view.performance is None
    assert [chart.key for chart in view.charts] == ["histogram"]
    assert "9 were scored" in view.methods
    assert "sensitivity" not in view.methods


def test_films_of_one_class_have_figures_where_they_are_defined():
    view = view_of([scored("a", 0.9, "PNEUMONIA"), scored("b", 0.2, "PNEUMONIA")])
    assert view.performance is not None
    figures = {metric.key: metric for metric in view.performance.at_threshold}
    assert figures["sensitivity"].value == "50.0 %"
    assert (figures["specificity"].value, figures["specificity"].reason) == ("\N{EN DASH}", "There is no normal film.")


def test_labels_on_failed_files_only_give_undefined_figures_instead_of_an_error():
    view = view_of([failed("a", truth="NORMAL")])
    assert view.performance is not None
    assert {metric.value for metric in view.performance.headline} == {"\N{EN DASH}"}
    assert view.performance.unscored == "1 labelled file has no score (1 NORMAL) and is left out of these figures."


def test_an_interrupted_run_says_so():
    assert "interrupted" in view_of(small_run(), replace(INFO, exit_reason="interrupted")).unfinished


def test_a_run_that_was_killed_is_dated_by_its_start():
    view = view_of(small_run(), replace(INFO, finished_at=""))
    assert dict(view.facts)["Scanned"].startswith("2 January 2026, 03:04 UTC")


def test_the_title_given_replaces_the_folder_s_name():
    assert view_of(small_run()).title == "Chest X-ray scan of films"
    assert view_of(small_run(), title="Ward 7").title == "Ward 7"


def test_a_threshold_of_the_user_s_is_no_operating_point():
    view = view_of(small_run(), replace(INFO, threshold=0.62, threshold_name="custom"))
    assert not any(point.used for point in view.model.points)
    assert "a threshold of the user's" in view.methods


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.9375, "share", "93.8 %"),
        (0.0625, "share", "6.3 %"),
        (None, "share", "\N{EN DASH}"),
        (-0.25, "plain", "\N{MINUS SIGN}0.250"),
        (12.44, "ratio", "12.4"),
        (1234.5, "ratio", "1235"),
        (0.3125, "ratio", "0.313"),
    ],
)
def test_figures_are_written_by_their_form(value, form, text):
    assert figure_text(value, form) == text


def test_an_interval_is_written_with_one_unit():
    assert interval_text(Estimate(0.5, 0.25, 0.75), "share") == "25.0–75.0"
    assert interval_text(Estimate(0.5, reason="no interval"), "share") == ""


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.50"), (0.5312, "0.5312"), (0.125, "0.1250"), (1.0, "1.00")])
def test_a_threshold_has_two_or_four_digits(value, text):
    assert probability_text(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(3.21, "3.2 s"), (61, "1 min 1 s"), (3720, "1 h 2 min")])
def test_a_duration_has_two_units(seconds, text):
    assert duration_text(seconds) == text


def test_exact_copies_are_told():
    twin = replace(small_run()[0], result=replace(small_run()[0].result, name="NORMAL/again.jpg"))
    view = view_of([*small_run(), twin])
    assert "1 scored film is an exact copy of others; figures count each, so their ranges are too narrow." in view.lead
    assert not any("exact copy" in sentence for sentence in view_of(small_run()).lead)


def test_only_options_that_were_given_are_listed():
    given = {"labels": "folders", "refer": None, "map": {}, "json": False, "exclude": [], "max_memory": 2}
    view = view_of(small_run(), replace(INFO, arguments=given))
    assert view.arguments == (("Labels", "folders"), ("Max memory", "2"))


@pytest.mark.parametrize("root", ["/home/mueller/Anna M/films", "C:\\Users\\mueller\\films\\", "s3://mueller/films/"])
def test_a_report_says_what_was_scanned_and_not_where_it_lay(root):
    arguments = {"paths": [root], "labels": root.rstrip("/\\"), "output": root}
    view = view_of(small_run(), replace(INFO, roots=(root,), arguments=arguments))
    assert dict(view.facts)["Folder"] == "films"
    assert "mueller" not in repr(view)


def test_what_a_bundle_says_of_its_training_is_in_words():
    training = {"n_train": 7402, "duration_s": 1352.0, "images_per_s": 35.4, "site": "north"}
    card = model_card(Run(INFO, replace(MODEL, training=training)))
    assert {
        ("Films trained on", "7,402"),
        ("Training took", "22 min 32 s"),
        ("Films per second", "35.4"),
        ("Site", "north"),
    } <= set(card.facts)


@pytest.mark.parametrize(
    ("key", "value", "title", "text"),
    [
        ("n_pairs", 281.0, "Pairs", "281"),
        ("n_flips_beyond_0_05", 0.0, "Flips beyond 0.05", "0"),
        ("mean_abs_prob_difference", 0.0022335, "Mean absolute probability difference", "0.002"),
    ],
)
def test_figures_that_the_report_does_not_know_are_words_and_numbers(key, value, title, text):
    assert title_of(key) == title
    assert with_interval(key, Estimate(value)) == text
