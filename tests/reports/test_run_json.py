"""The manifest."""

import json

from tests.reports.films import render, small_run, unlabelled


def manifest(tmp_path, films):
    return json.loads(render(tmp_path, films).json.read_text(encoding="utf-8"))


def test_the_manifest_holds_the_run_the_counts_and_the_model(tmp_path):
    document = manifest(tmp_path, small_run())
    assert document["threshold"] == 0.5
    assert document["versions"]["python"] == "3.11.2"
    assert document["counts"]["n_films"] == 12
    assert document["counts"]["failures"] == {"not-an-image": 1, "truncated": 1}
    assert document["model"]["weights_sha256"] == "ab" * 32


def test_with_labels_every_figure_has_its_interval_or_a_reason(tmp_path):
    evaluation = manifest(tmp_path, small_run())["evaluation"]
    assert evaluation["confusion_matrix"] == {"tp": 3, "fp": 1, "fn": 1, "tn": 4}
    assert evaluation["unscored"] == {"PNEUMONIA": 1}
    assert {"sensitivity", "specificity", "auc"} <= set(evaluation["metrics"])
    for metric in evaluation["metrics"].values():
        assert metric["low"] is not None or metric["reason"]


def test_without_labels_there_is_no_evaluation(tmp_path):
    assert manifest(tmp_path, unlabelled(small_run()))["evaluation"] is None
