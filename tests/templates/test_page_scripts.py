"""The scripts of the report's page, run by Node: their own tests, and their figures beside Python's."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxrscan import templates
from cxrscan.reports.page.scripts import joined_script
from cxrscan.reports.wording import (
    METRICS,
    call_sentence,
    figure_text,
    fixed,
    form_of,
    interval_text,
    percent_text,
    prob_text,
    probability_text,
)
from cxrscan.scanner.metrics import ConfusionMatrix, figure_estimates, figure_table, predictive_values_at
from cxrscan.scanner.records import NEGATIVE, POSITIVE, REFERRED

HERE = Path(__file__).parent
NODE = shutil.which("node") or ""  # without it this file is not collected
PREVALENCES = (None, 0.0123, 0.4)


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([NODE, *arguments], cwd=HERE, input=stdin, capture_output=True, text=True, check=False)


def random_calls() -> list[tuple[float, str, float, tuple[float, float] | None]]:
    """(probability, call, threshold, band), many of them near the threshold or the ends."""
    rng = np.random.default_rng(13)
    probs = [0.0, 1.0, 0.9997, 0.995, 0.9949, 0.005, 0.0049, 0.6689, *rng.random(200).tolist()]
    near = [0.6697 + shift for shift in (-0.01, -0.001, -0.0001, -0.00001, 0.0, 0.00001, 0.001)]
    cases = [(prob, POSITIVE if prob >= 0.6697 else NEGATIVE, 0.6697, None) for prob in (*probs, *near)]
    return [*cases, (0.45, REFERRED, 0.5, (0.3, 0.7)), (0.005, NEGATIVE, 1.0, None), (0.0, POSITIVE, 0.0, None)]


def same(a: float | None, b: float | None) -> bool:
    """Whether two figures are the same but for rounding, or both undefined."""
    return a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def random_tables(n: int) -> list[ConfusionMatrix]:
    """Tables of every size, a third of their cells empty."""
    rng = np.random.default_rng(11)
    counts = np.rint(10 ** rng.uniform(0, 4, (n, 4))).astype(int) * (rng.random((n, 4)) < 0.67)
    return [ConfusionMatrix(*map(int, row)) for row in counts]


def random_numbers() -> list[float]:
    """Numbers, among them those that lie in the middle of two roundings."""
    rng = np.random.default_rng(12)
    ties = [i / 2**k for k in range(1, 8) for i in range(2 ** (k + 1))]
    return [0.0, 1.0, 99.95, 99.5, 100.5, 999.5, 9.995, *ties, *(10 ** rng.uniform(-7, 4, 500)).tolist()]


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    tables = [
        {"counts": {"tp": m.tp, "fp": m.fp, "fn": m.fn, "tn": m.tn}, "prevalence": prevalence}
        for m in random_tables(400)
        for prevalence in PREVALENCES
    ]
    forms = {metric.key: metric.form for metric in METRICS}
    classes = {"positive": POSITIVE, "negative": NEGATIVE, "referred": REFERRED}
    calls = [
        {"prob": prob, "called": called, "threshold": threshold, "config": {"classes": classes, "refer": refer}}
        for prob, called, threshold, refer in random_calls()
    ]
    numbers = random_numbers()
    asked = {"figures": figure_table(), "forms": forms, "tables": tables, "numbers": numbers, "calls": calls}
    answered = run("estimates.mjs", stdin=json.dumps(asked))
    assert answered.returncode == 0, answered.stderr
    found: dict[str, Any] = json.loads(answered.stdout)
    return found


def test_the_scripts_own_tests_pass() -> None:
    done = run("--test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout


def test_every_figure_is_what_python_computes(theirs: dict[str, Any]) -> None:
    cases = [(matrix, prevalence) for matrix in random_tables(400) for prevalence in PREVALENCES]
    for (matrix, prevalence), found in zip(cases, theirs["tables"], strict=True):
        expected = figure_estimates(matrix)
        if prevalence is not None:
            expected |= dict(zip(("ppv", "npv"), predictive_values_at(matrix, prevalence), strict=True))
        assert {one["key"] for one in found} == expected.keys()
        for one in found:
            ours = expected[one["key"]]
            theirs_and_ours = [(one[name], getattr(ours, name)) for name in ("value", "low", "high")]
            assert all(same(*pair) for pair in theirs_and_ours), (matrix, one["key"], theirs_and_ours)
            form = form_of(one["key"])
            assert (one["text"], one["interval"]) == (figure_text(ours.value, form), interval_text(ours, form))


def test_numbers_are_rounded_as_python_rounds_them(theirs: dict[str, Any]) -> None:
    for value, found in zip(random_numbers(), theirs["numbers"], strict=True):
        for form in ("share", "score", "ratio"):
            assert found[form] == figure_text(value, form), (value, form)  # type: ignore[arg-type]
        assert found["plain"] == figure_text(-value, "plain") or value == 0
        assert found["threshold"] == probability_text(value)


def test_a_call_is_put_into_the_same_words(theirs: dict[str, Any]) -> None:
    for (prob, called, threshold, refer), found in zip(random_calls(), theirs["calls"], strict=True):
        texts = (prob_text(prob, 2), prob_text(prob, 3), percent_text(prob, 0), percent_text(prob, 1))
        assert found == [call_sentence(prob, called, threshold, refer), *texts]


def test_one_in_sixteen_is_the_same_everywhere(theirs: dict[str, Any]) -> None:
    found = dict(zip(random_numbers(), theirs["numbers"], strict=True))[1 / 16]
    assert found["share"] == figure_text(1 / 16, "share") == "6.3 %"
    assert found["score"] == fixed(1 / 16, 3) == "0.063"


@pytest.mark.parametrize("entry", ["main.mjs", "theme.mjs"])
def test_the_joined_script_is_one_that_node_can_parse(entry: str, tmp_path: Path) -> None:
    script = tmp_path / "joined.js"
    script.write_text(joined_script(Path(next(iter(templates.__path__))) / "scripts" / entry), encoding="utf-8")
    checked = run("--check", str(script))
    assert checked.returncode == 0, checked.stderr
