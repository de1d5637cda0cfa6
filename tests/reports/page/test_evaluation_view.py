"""What an evaluation adds to the report."""

from dataclasses import replace

from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.page.evaluation import evaluation_view
from cxrscan.scanner.evaluation.evaluate import collect_films, evaluate
from cxrscan.scanner.run_record import Run
from tests.reports.films import INFO, MODEL, large_run, run_of, small_run

RUN = Run(INFO, MODEL)


def patients(films):
    """The same films, two of each patient."""
    return [
        replace(
            film,
            result=replace(
                film.result, attributes=replace(film.result.attributes, ids=(("patient_id", f"P{i // 2}"),))
            ),
        )
        for i, film in enumerate(films)
    ]


def test_intervals_by_patient_subgroups_and_other_prevalences_are_tables():
    films = collect_films(patients(large_run(60)), {}, ("gate",))
    view = evaluation_view(evaluate(films, RUN, prevalences=(0.02,)))
    by_patient, (by_gate,), elsewhere = view.by_patient, view.subgroups, view.elsewhere
    assert view.patients == "60 films of 30 patients."
    assert by_patient.header == ("", "Value", "Films as independent", "Clustered by patient")
    assert by_patient.rows[0][0] == "Sensitivity"
    assert by_gate.caption == "By input checks"
    assert by_gate.rows[0][:2] == ("ok", "60")
    assert elsewhere.rows[0][0] == "2.0 %"
    assert "Net benefit" in view.chart.alt


def test_without_patients_and_groups_there_is_the_curve_alone():
    view = evaluation_view(evaluate(collect_films(small_run(), {}), RUN))
    assert (view.by_patient, view.subgroups, view.elsewhere) == (None, (), None)
    assert "films count as independent" in view.patients


def test_the_report_of_an_evaluation_tells_it_and_another_does_not(tmp_path):
    evaluation = evaluate(collect_films(large_run(60), {}, ("gate",)), RUN)
    page = write_outputs(tmp_path, run_of(large_run(60)), evaluation=evaluation).html
    assert 'href="#evaluation"' in page.read_text(encoding="utf-8")
    page = write_outputs(tmp_path, run_of(large_run(60))).html
    assert "evaluation-title" not in page.read_text(encoding="utf-8")
