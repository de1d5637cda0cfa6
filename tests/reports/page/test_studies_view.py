"""What the report says of studies."""

from dataclasses import replace

from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.page.studies import ROW, studies_view, study_rows
from cxrscan.scanner.evaluation.studies import StudyCollector, summarise_studies
from cxrscan.scanner.records import Estimate
from cxrscan.scanner.run_record import Run
from tests.reports.films import INFO, MODEL, run_of, small_run, studies_run

VERSIONS = {"other versions of the same films": {"repeat_log_odds": Estimate(1.08)}}


def studies(run):
    collector = StudyCollector(run.model)
    for _ in collector.watch(run.films()):
        pass
    return collector.studies(run.info.study_rule)


def test_rule_basis_and_follow_up_are_told():
    run = Run(replace(INFO, group="dicom"), replace(MODEL, validation=VERSIONS), lambda: studies_run(60, 30))
    view = studies_view(summarise_studies(studies(run), run), run)
    assert view.lead.endswith("of 30 scored studies called PNEUMONIA")
    assert "highest probability" in view.notes[0]
    assert "chosen for single films" in view.notes[0]
    assert "beyond repeat variation" in view.notes[2]
    assert view.basis == "Figures of 30 studies with label and call, intervals clustered by patient."
    assert [title for title, _, _ in view.figures][:2] == ["Sensitivity", "Specificity"]


def test_patients_are_counted_only_where_something_tells_them():
    run = Run(replace(INFO, group="folder"), MODEL, lambda: small_run())
    summary = summarise_studies(studies(run), run)
    told = [
        studies_view(replace(summary, n_studies=3, n_patients=3, n_scored=3, n_without_patient=n), run).notes[1]
        for n in (0, 1, 3)
    ]
    assert told == [
        "3 studies of 3 patients.",
        "3 studies of 3 patients; of 1 study nothing tells the patient: each counts as another's.",
        "3 studies; nothing tells the patients apart, so each counts as another's.",
    ]


def test_a_bundle_that_is_silent_on_versions_is_said_so():
    run = run_of(studies_run(60, 30), replace(INFO, group="dicom"))
    assert "does not say" in studies_view(summarise_studies(studies(run), run), run).notes[2]


def test_rows_point_to_their_films():
    films = studies_run(60, 30)
    rows = [dict(zip(ROW, row, strict=True)) for row in study_rows(studies(run_of(films)), 1.0)]
    assert {films[at].study for at in rows[3]["films"]} == {rows[3]["name"]}
    assert sorted(at for row in rows for at in row["films"]) == list(range(60))


def test_a_report_without_studies_has_no_section(tmp_path):
    write_outputs(tmp_path, run_of(small_run()))
    assert 'id="studies"' not in (tmp_path / "report.html").read_text(encoding="utf-8")
