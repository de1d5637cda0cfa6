"""What an evaluation says of labelled films, and how it is written down."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxrscan.reports.evaluation.checklist import TO_FILL, ChecklistName, checklist_text
from cxrscan.reports.evaluation.comparison import comparison_text
from cxrscan.reports.evaluation.files import evaluation_text, write_evaluation
from cxrscan.reports.wording import terminal_text, with_interval
from cxrscan.scanner.errors import LabelError
from cxrscan.scanner.evaluation.compare import compare_runs
from cxrscan.scanner.evaluation.evaluate import LabelledFilms, age_band, collect_films, evaluate
from cxrscan.scanner.metrics import wilson_interval
from cxrscan.scanner.model_bundle import Calibration, ModelSpec, OperatingPoint
from cxrscan.scanner.records import (
    NEGATIVE,
    POSITIVE,
    Counts,
    Estimate,
    Failure,
    Film,
    FilmAttributes,
    RunInfo,
    ScanResult,
)
from cxrscan.scanner.run_record import Run

INFO = RunInfo(
    version="1.2.3",
    roots=("/films",),
    arguments={},
    started_at="2026-01-02T03:04:05+00:00",
    finished_at="2026-01-02T03:05:05+00:00",
    exit_reason="finished",
    threshold=0.4,
    threshold_name="balanced",
    labels="truth.csv",
    n_skipped={"no picture": 2},
    duration_s=60.0,
    versions={"python": "3.11"},
)
COUNTS = Counts(n_films=70, n_scored=66, n_rejected=3, n_failed=1, n_warned=2, n_positive=30)
POINT = OperatingPoint("balanced", 0.4, "largest sum", "100 validation films", Estimate(0.9), Estimate(0.8))
MODEL = ModelSpec(
    name="net",
    version="7",
    weights_sha256="ab" * 32,
    input_px=224,
    calibrations={"": Calibration(2 / 3)},
    heat_scale=1.0,
    operating_points={"balanced": POINT, "sens95": replace(POINT, name="sens95", threshold=0.2)},
    default_operating_point="balanced",
    gate=None,
    training={"n_train": 80, "n_train_patients": 40, "config": {"data_source": "a | b"}},
    validation={"plain": {"auc": Estimate(0.99, 0.98, 1.0)}},
    export={},
    intended_use="Research.",
    limits=("Children only.",),
    licence="Apache-2.0",
    initial_weights="ImageNet",
)
RUN = Run(INFO, MODEL)


def film(name: str, prob: float | None, truth: str | None, **attributes: object) -> Film:
    failure = Failure("read", "truncated", "ends early") if prob is None else None
    said = FilmAttributes(**attributes)  # type: ignore[arg-type]
    result = ScanResult(name, "jpeg", 1, 1, attributes=said, prob_pneumonia=prob, failure=failure)
    return Film(result, truth)


def many_films(n: int = 66, films_per_patient: int = 3) -> list[Film]:
    rng = np.random.default_rng(0)
    return [
        film(
            f"{'AP' if i % 2 else 'PA'}/person{i // films_per_patient}_virus_{i}.jpeg",
            float(np.clip(rng.normal(0.75 if i % 3 else 0.3, 0.25), 0, 1)),
            POSITIVE if i % 3 else NEGATIVE,
            view_position="AP" if i < 50 else "PA",
        )
        for i in range(n)
    ]


def collected(films: Iterable[Film], *by: str) -> LabelledFilms:
    return collect_films(films, {}, by)


def test_films_without_truth_or_probability_are_not_measured_but_told() -> None:
    films = [
        film("a.jpg", 0.9, POSITIVE),
        film("b.jpg", None, POSITIVE),
        film("c.jpg", 0.2, None),
        film("d.jpg", 0.1, NEGATIVE),
    ]
    found = collected(films)
    assert (found.names, found.truth.tolist(), found.prob.tolist()) == (("a.jpg", "d.jpg"), [True, False], [0.9, 0.1])
    assert found.unscored == {"failed": 1}


def test_the_patient_comes_from_the_label_file_then_the_header_then_the_name() -> None:
    ids = (("patient_id", "hash7"),)
    films = [
        film("person1_virus_1.jpeg", 0.9, POSITIVE, ids=ids),
        film("person2_virus_1.jpeg", 0.9, POSITIVE, ids=ids),
        film("person3_virus_1.jpeg", 0.9, POSITIVE),
        film("scan.jpeg", 0.9, POSITIVE),
    ]
    found = collect_films(films, {"person1_virus_1.jpeg": {"patient": "p9"}})
    assert found.patients.tolist() == ["p9", "hash7", "person3", "scan.jpeg"]
    assert found.n_without_patient == 1


@pytest.mark.parametrize(
    ("age", "band"),
    [(None, ""), (0.5, "00"), (1, "01-05"), (5.9, "01-05"), (17, "06-17"), (18, "18-39"), (65, "65+"), (100, "65+")],
)
def test_ages_fall_into_bands(age: float | None, band: str) -> None:
    assert age_band(age) == band


def test_subgroups_follow_headers_paths_and_columns_of_the_label_file() -> None:
    films = [
        film("x/a.jpg", 0.9, POSITIVE, view_position="AP", patient_sex="F"),
        film("y/b.jpg", 0.1, NEGATIVE, view_position="PA"),
    ]
    cells = {"x/a.jpg": {"site": "A"}, "y/b.jpg": {"site": "B"}}
    found = collect_films(films, cells, ("view_position", "patient_sex", "folder", "site"))
    assert dict(found.groups) == {
        "view_position": ["AP", "PA"],
        "patient_sex": ["F", ""],
        "folder": ["x", "y"],
        "site": ["A", "B"],
    }


def test_thresholds_stand_side_by_side_the_runs_first_and_the_exploratory_one_marked() -> None:
    evaluation = evaluate(collected(many_films()), RUN)
    assert [row.name for row in evaluation.thresholds] == ["balanced", "sens95", "0.5", "best here"]
    assert [row.exploratory for row in evaluation.thresholds] == [False, False, False, True]
    assert evaluation.thresholds[0].summary == evaluation.summary


def test_a_threshold_of_the_users_own_comes_first() -> None:
    info = replace(INFO, threshold=0.5, threshold_name="custom")
    evaluation = evaluate(collected(many_films()), Run(info, MODEL))
    assert [row.name for row in evaluation.thresholds] == ["custom", "balanced", "sens95", "best here"]


def test_intervals_by_patient_stand_beside_those_by_film() -> None:
    evaluation = evaluate(collected(many_films()), RUN)
    assert evaluation.n_patients == 22
    assert evaluation.by_patient["auc"].value == evaluation.summary.estimates["auc"].value
    assert evaluation.by_patient["auc"].low is not None


def test_one_film_per_patient_needs_no_clustering() -> None:
    assert evaluate(collected(many_films(films_per_patient=1)), RUN).by_patient == {}


def test_exact_intervals_are_used_when_asked_for() -> None:
    films = collected(many_films())
    wilson, exact = evaluate(films, RUN), evaluate(films, RUN, exact=True)
    table = wilson.summary.confusion
    assert wilson.summary.estimates["sensitivity"].low == wilson_interval(table.tp, table.n_positive)[0]
    for rows in zip(wilson.thresholds, exact.thresholds, strict=True):
        lows = [row.summary.estimates["accuracy"].low or 0.0 for row in rows]
        assert lows[1] < lows[0]


def test_without_a_labelled_film_there_is_nothing_to_evaluate() -> None:
    with pytest.raises(LabelError) as error:
        evaluate(collected([film("a.jpg", 0.5, None)]), RUN)
    assert error.value.code == "labels-none"


def test_files_hold_every_figure_and_no_nan(tmp_path: Path) -> None:
    evaluation = evaluate(collected(many_films(), "view_position"), RUN, prevalences=(0.05,))
    document = write_evaluation(tmp_path / "new" / "folder", evaluation, RUN)
    text = (tmp_path / "new" / "folder" / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(document))
    assert document["at_threshold"]["metrics"]["auc"]["value"] == evaluation.summary.estimates["auc"].value
    assert [group["value"] for group in document["subgroups"]["view_position"]] == ["AP", "PA"]
    assert [group["small"] for group in document["subgroups"]["view_position"]] == [False, True]
    assert document["elsewhere"][0]["prevalence"] == 0.05
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    charts = ("roc", "precision_recall", "reliability", "coverage", "decision", "subgroups_view_position")
    assert names == {"metrics.json", "metrics.csv"} | {f"{c}.{kind}" for c in charts for kind in ("svg", "png")}


def test_the_csv_has_one_row_per_figure(tmp_path: Path) -> None:
    evaluation = evaluate(collected(many_films(), "view_position"), RUN)
    write_evaluation(tmp_path, evaluation, RUN)
    with (tmp_path / "metrics.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 17 * (1 + 4 + 2)
    auc = next(row for row in rows if (row["scope"], row["metric"]) == ("all", "auc"))
    assert float(auc["value"]) == pytest.approx(evaluation.summary.estimates["auc"].value, rel=1e-5)
    assert float(auc["patient_low"]) == pytest.approx(evaluation.by_patient["auc"].low, rel=1e-5)
    assert all(math.isfinite(float(row[key])) for row in rows for key in ("value", "low", "high") if row[key])
    assert all(row["low"] or row["reason"] for row in rows)


def test_values_of_the_label_file_are_safe_in_spreadsheets(tmp_path: Path) -> None:
    films = collect_films([film("a.jpg", 0.9, POSITIVE)], {"a.jpg": {"site": "=cmd()"}}, ("site",))
    write_evaluation(tmp_path, evaluate(films, RUN), RUN)
    with (tmp_path / "metrics.csv").open(encoding="utf-8-sig", newline="") as file:
        groups = {row["group"] for row in csv.DictReader(file) if row["scope"] == "site"}
    assert groups == {"'=cmd()"}


def test_one_class_only_is_written_without_curves(tmp_path: Path) -> None:
    films = collected([film("a.jpg", 0.9, POSITIVE), film("b.jpg", 0.8, POSITIVE)])
    evaluation = evaluate(films, RUN)
    write_evaluation(tmp_path, evaluation, RUN)
    assert not (tmp_path / "roc.svg").exists()
    assert "There is no normal film." in evaluation_text(evaluation, INFO)


def test_the_table_tells_counts_intervals_and_what_is_left_out() -> None:
    films = [*many_films(), film("bad.jpg", None, POSITIVE)]
    evaluation = evaluate(collected(films, "view_position"), RUN, prevalences=(0.05,))
    text = evaluation_text(evaluation, INFO)
    table = evaluation.summary.confusion
    assert "66 films with label and call: 44 PNEUMONIA, 22 NORMAL; 22 patients." in text
    assert "left out: 1 failed." in text
    assert f"labelled PNEUMONIA {table.tp:>19}{table.fn:>18}" in text
    assert terminal_text(with_interval("specificity", evaluation.summary.estimates["specificity"])) in text
    assert "best here" in text
    assert "exploration only" in text
    assert "few films" in text
    assert "Where 5.0 % of the films show pneumonia: PPV" in text


@pytest.mark.parametrize(
    ("key", "estimate", "text"),
    [
        ("ppv", Estimate(0.9, 0.8, 0.95), "90.0 % (80.0–95.0)"),
        ("mcc", Estimate(-0.5, -1.25, 0.25), "−0.500 (−1.250 to 0.250)"),
        ("lr_positive", Estimate(12.34, 10.0, 20.0), "12.3 (10–20)"),
        ("auc", Estimate(1.0, reason="no spread"), "1.000"),
        ("auc", Estimate(None, reason="no film"), "–"),
    ],
)
def test_figures_are_written_for_people(key: str, estimate: Estimate, text: str) -> None:
    assert with_interval(key, estimate) == text


@pytest.mark.parametrize(("name", "n_items"), [("stard-ai", 40), ("claim", 42)])
def test_a_checklist_has_every_item_with_what_the_run_knows(name: ChecklistName, n_items: int) -> None:
    evaluation = evaluate(collected(many_films(), "view_position"), RUN)
    text = checklist_text(name, evaluation, RUN, COUNTS)
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == n_items
    assert all(line.replace("\\|", "").count("|") == 4 for line in lines)
    table = evaluation.summary.confusion
    for known in (
        f"TP {table.tp}, FP {table.fp}, FN {table.fn}, TN {table.tn}",
        "model net 7",
        "0.40 (balanced): largest sum, on 100 validation films",
        "72 files; 2 no films; 1 unreadable; 3 rejected; 66 scored",
        "80 films of 40 patients for training",
        with_interval("auc", evaluation.summary.estimates["auc"]),
        "a \\| b",
    ):
        assert known in text
    funding = next(line for line in lines if "Funding" in line)
    assert funding.endswith(f"| {TO_FILL} |")


def test_two_runs_are_compared_on_the_films_that_both_scored() -> None:
    first = collected(many_films())
    second = {name: min(1.0, prob + 0.15) for name, prob in zip(first.names[1:], first.prob[1:], strict=True)}
    comparison = compare_runs(first, second, (0.7, 0.7))
    assert (comparison.n, comparison.n_first_only, comparison.n_patients) == (65, 1, 22)
    sensitivity = comparison.differences["sensitivity"]
    assert sensitivity.difference.value is not None
    assert sensitivity.difference.value > 0
    assert comparison.by_patient["sensitivity"].value == pytest.approx(sensitivity.difference.value)
    for changed in comparison.changed:
        assert changed.first_prob < 0.7 <= changed.second_prob
        assert changed.better == (changed.truth == POSITIVE)
    text = comparison_text(comparison, ("one", "two"))
    assert f"Films that changed sides: {len(comparison.changed)};" in text
    assert comparison.changed[0].name in text


def test_runs_without_a_common_film_cannot_be_compared() -> None:
    with pytest.raises(LabelError) as error:
        compare_runs(collected(many_films()), {"other.jpg": 0.5}, (0.5, 0.5))
    assert error.value.code == "runs-disjoint"
