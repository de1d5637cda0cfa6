"""Films grouped into studies: their order, probability, label, change and figures."""

from dataclasses import replace

import pytest

from cxrscan.scanner.evaluation.grouping import grouped
from cxrscan.scanner.evaluation.studies import StudyCollector, repeat_of, summarise_studies
from cxrscan.scanner.records import Estimate, Film, FilmAttributes
from cxrscan.scanner.run_record import Run
from tests.reports.films import INFO, MODEL, failed, scored

VERSIONS = {"other versions of the same films": {"repeat_log_odds": Estimate(1.0)}}
KNOWING = replace(MODEL, validation=VERSIONS)


def header(patient="", study="", day="", view=""):
    ids = {"patient_id_hash": patient, "study_uid_hash": study, "acquired_at_shifted": day}
    return FilmAttributes(view_position=view, ids=tuple((name, value) for name, value in ids.items() if value))


def film(name, prob, truth=None, **said):
    return scored(name, prob, truth, attributes=header(**said))


def studies_of(films, by="dicom", rule="highest", cells=None, model=KNOWING):
    collector = StudyCollector(model)
    for _ in collector.watch(grouped(films, by, cells or {})):
        pass
    return collector.studies(rule)


def test_films_with_one_identifier_make_a_study_and_others_are_studies_by_themselves():
    films = [film("a", 0.2, study="1"), film("b", 0.9), film("c", 0.4, study="1")]
    assert [(study.name, study.n_scored) for study in studies_of(films)] == [("1", 2), ("b", 1)]


def test_folders_and_columns_of_a_label_file_make_studies():
    films = [film("x/a", 0.2), film("x/b", 0.3), film("y/a", 0.4)]
    assert [study.name for study in studies_of(films, "folder")] == ["x", "y"]
    cells = {"x/a": {"visit": "7", "patient": "p"}, "y/a": {"visit": "7", "patient": "p"}}
    first, second = studies_of(films, "visit", cells=cells)
    assert ([one.name for one in first.films], first.patient) == (["x/a", "y/a"], "p")
    assert (second.name, second.patient) == ("x/b", "")


def test_a_folder_with_films_of_several_patients_is_nobodys():
    (study,) = studies_of([film("x/a", 0.2, patient="p"), film("x/b", 0.3, patient="q")], "folder")
    assert study.patient == ""


@pytest.mark.parametrize(
    ("rule", "prob", "deciding"),
    [("highest", 0.9, ["lateral"]), ("mean", 0.5, ["ap", "lateral", "pa"]), ("view", 0.4, ["pa"])],
)
def test_each_rule_gives_its_probability(rule, prob, deciding):
    films = [
        film("ap", 0.2, study="1", view="AP"),
        film("lateral", 0.9, study="1", view="LL"),
        film("pa", 0.4, study="1", view="PA"),
    ]
    (study,) = studies_of(films, rule=rule)
    assert study.prob == pytest.approx(prob)
    assert [one.name for one in study.deciding] == deciding


def test_a_study_without_a_scored_film_has_no_probability():
    (study,) = studies_of([failed("x/a"), failed("x/b")], "folder")
    assert (study.prob, study.n_scored) == (None, 0)


def test_one_film_with_pneumonia_labels_its_study():
    films = [film("x/a", 0.2, "NORMAL"), film("x/b", 0.3, "PNEUMONIA"), film("y/a", 0.3, "NORMAL"), film("z/a", 0.3)]
    assert [study.truth for study in studies_of(films, "folder")] == ["PNEUMONIA", "NORMAL", None]


def test_a_patients_studies_follow_the_time_where_it_is_known_of_all():
    films = [film("a", 0.2, patient="p", study="1", day="2020-02-02"), film("b", 0.3, patient="p", study="2")]
    assert [(one.name, one.ordered_by) for one in studies_of(films)] == [("1", "name"), ("2", "name")]
    films[1] = film("b", 0.3, patient="p", study="2", day="2019-12-31")
    assert [(one.name, one.number, one.ordered_by) for one in studies_of(films)] == [("2", 1, "time"), ("1", 2, "time")]


def test_a_change_is_told_apart_from_what_versions_of_one_film_show():
    films = [film(str(i), prob, patient="p", study=str(i)) for i, prob in enumerate([0.5, 0.55, 0.9])]
    first, second, third = studies_of(films)
    assert (first.change, first.changed(1.0)) == (None, None)
    assert (second.change, second.changed(1.0)) == (pytest.approx(0.05), False)
    assert (third.change, third.changed(1.0)) == (pytest.approx(0.35), True)
    assert third.changed(None) is None


def test_a_change_leaves_studies_without_a_probability_out():
    films = [film("0", 0.5, patient="p", study="0"), failed("1"), film("2", 0.9, patient="p", study="2")]
    films[1] = Film(replace(films[1].result, attributes=header(patient="p", study="1")))
    first, gap, third = studies_of(films)
    assert gap.earlier is None
    assert third.earlier is not None
    assert third.earlier.name == first.name


def test_the_summary_counts_studies_and_has_intervals():
    films = [
        film(f"{i}/{side}", 0.8 if i % 2 else 0.1, "PNEUMONIA" if i % 2 else "NORMAL")
        for i in range(20)
        for side in "ab"
    ]
    info = replace(INFO, group="folder")
    found = summarise_studies(studies_of(films, "folder"), Run(info, KNOWING))
    assert (found.n_studies, found.n_patients, found.n_positive, found.n_labelled) == (20, 20, 10, 20)
    assert found.n_without_patient == 20
    assert found.figures["sensitivity"].value == 1.0
    assert found.figures["sensitivity"].low == pytest.approx(0.72, abs=0.01)
    assert not found.is_clustered


def test_intervals_are_clustered_where_patients_have_several_studies():
    films = [
        film(f"{i}", 0.8 if i % 3 else 0.1, "PNEUMONIA" if i % 2 else "NORMAL", patient=str(i // 4), study=str(i))
        for i in range(40)
    ]
    found = summarise_studies(studies_of(films), Run(replace(INFO, group="dicom"), KNOWING))
    assert (found.n_studies, found.n_patients, found.n_without_patient, found.is_clustered) == (40, 10, 0, True)
    low, high = found.figures["sensitivity"].low, found.figures["sensitivity"].high
    assert low is not None
    assert high is not None
    assert low < (found.figures["sensitivity"].value or 0) < high


def test_no_change_is_judged_where_the_bundle_does_not_say_how_far_versions_lie_apart():
    assert repeat_of(MODEL) is None
    assert repeat_of(KNOWING) == 1.0
    films = [film(str(i), prob, patient="p", study=str(i)) for i, prob in enumerate([0.1, 0.9])]
    found = summarise_studies(studies_of(films, model=MODEL), Run(INFO, MODEL))
    assert (found.n_follow_ups, found.n_changed) == (1, 0)
