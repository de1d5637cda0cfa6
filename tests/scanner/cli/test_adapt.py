"""``cxrscan adapt`` from a run's journal to a bundle that every command takes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, load_bundle, read_document
from cxrscan.scanner.populations.reference import references
from cxrscan.scanner.runs.journal import Journal
from tests.builders import write_film
from tests.training.adaptation.films import made_films, shipped_head, write_labels, write_run

LEARNS = made_films(200, signal=1.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("adapt") / "run", LEARNS)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cxrscan, [str(argument) for argument in arguments], catch_exceptions=False)


def refused(*arguments: object) -> CxrscanError:
    with pytest.raises(CxrscanError) as caught:
        invoke(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("library", "options", "extra"), [("scipy", [], "adapt"), ("tensorflow", ["--fine-tune"], "train")]
)
def test_the_extra_of_a_missing_library_is_named(
    library: str, options: list[str], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    error = refused("adapt", tmp_path, *options, "-o", tmp_path / "ours")
    assert error.code == "extra-missing"
    assert f"extra `{extra}`" in str(error)


def test_a_bundle_that_gains_is_written_and_works_in_every_command(run: Path, tmp_path: Path) -> None:
    labels, bundle = write_labels(tmp_path / "truth.csv", LEARNS), tmp_path / "ours"
    said = invoke("adapt", run, "--labels", labels, "-o", bundle, "--site", "St Elsewhere")
    assert said.exit_code == 0
    assert "200 labelled films of 200 people: 100 with pneumonia, 100 without." in said.stdout
    assert "head, gain in cross-entropy saved" in said.stdout
    assert f"cxrscan run FILMS --model {bundle}" in said.stderr
    spec = load_bundle(bundle)
    (descent,) = spec.lineage
    assert (descent.site, descent.rung, descent.n_films, descent.forced) == ("St Elsewhere", "head", 200, False)
    assert descent.parent_sha256 == read_document(DEFAULT_BUNDLE)["weights_sha256"] != spec.weights_sha256
    assert "St Elsewhere" in (bundle / "MODEL_CARD.md").read_text()
    assert "OK" in invoke("model", "verify", bundle).stdout
    assert "at St Elsewhere: head, 200 films" in invoke("model", "info", bundle).stdout
    (site,) = references(load_bundle(bundle))
    assert (site.name, site.n, int(site.truth.sum())) == ("St Elsewhere", 200, 100)
    assert site.features is not None
    write_film(tmp_path / "films/1.png", 1, height=300, width=300)
    for name, model in (("old", DEFAULT_BUNDLE), ("new", bundle)):
        assert invoke("run", tmp_path / "films", "-o", tmp_path / name, "--model", model, "-q").exit_code == 0
    truth = tmp_path / "one.csv"
    truth.write_text("path,label\n1.png,1\n")
    asked = ("adapt", tmp_path / "new", "--labels", truth, "-o", tmp_path / "third")
    assert refused(*asked).code == "labels-few"  # and the bundle that the run names is the run's own
    compared = invoke("compare", tmp_path / "old", tmp_path / "new", "--labels", truth)
    assert "1 film" in compared.stdout
    assert "new was scored by a model that was adapted to films of St Elsewhere" in compared.stderr
    assert "adapted" not in invoke("compare", tmp_path / "old", tmp_path / "old", "--labels", truth).stderr


def test_where_nothing_is_gained_no_bundle_is_written_unless_forced(run: Path, tmp_path: Path) -> None:
    wrong = replace(LEARNS, truth=np.random.default_rng(3).permutation(LEARNS.truth))
    labels, bundle = write_labels(tmp_path / "truth.csv", wrong), tmp_path / "ours"
    asked = ("adapt", run, "--labels", labels, "-o", bundle, "--rung", "threshold")
    assert refused(*asked).code == "no-gain"
    assert not bundle.exists()
    said = invoke(*asked, "--force", "--json")
    document = json.loads(said.stdout)
    assert document["written"]
    assert document["tried"][0]["gain"]["low"] < 0
    assert any("may be chance" in warning for warning in document["warnings"])
    assert load_bundle(bundle).lineage[0].forced
    assert "Written by force" in (bundle / "MODEL_CARD.md").read_text()


def test_a_promise_becomes_the_default_threshold_where_it_is_asked_for(run: Path, tmp_path: Path) -> None:
    labels, bundle = write_labels(tmp_path / "truth.csv", LEARNS), tmp_path / "ours"
    invoke("adapt", run, "--labels", labels, "-o", bundle, "--sensitivity", "0.95")
    point = load_bundle(bundle).operating_points["promise"]
    assert load_bundle(bundle).default_operating_point == "promise"
    assert "0.95 with 95 % confidence" in point.rule
    assert point.sensitivity.value is not None
    assert point.sensitivity.value > 0.93


def test_verdicts_of_readers_are_labels(run: Path, tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.csv"
    rows = [
        f"{name},{'pneumonia' if ill else 'no-pneumonia'}" for name, ill in zip(LEARNS.names, LEARNS.truth, strict=True)
    ]
    rows[0] = rows[0].replace("no-pneumonia", "unsure")
    verdicts.write_text("path,verdict\n" + "\n".join(rows))
    result = invoke("adapt", run, "--verdicts", verdicts, "-o", tmp_path / "ours")
    assert "199 labelled films" in result.stdout
    assert "199 of 200 films have a label (verdicts.csv)." in result.stderr
    assert "199 films with label and call" in invoke("evaluate", run, "--verdicts", verdicts).stdout


def test_without_labels_a_threshold_follows_a_share_and_says_so(run: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "ours"
    assert refused("adapt", run, "-o", bundle).code == "labels-none"
    said = invoke("adapt", run, "-o", bundle, "--positive-share", "0.2")
    assert "No label has validated this threshold" in said.stdout
    spec = load_bundle(bundle)
    assert spec.default_operating_point == "share"
    assert spec.operating_points["share"].sensitivity.value is None
    assert "OK" in invoke("model", "verify", bundle).stdout


def test_a_share_is_one_of_all_films_whatever_their_populations(tmp_path: Path) -> None:
    run, log_odds = tmp_path / "run", shipped_head().log_odds(LEARNS.embeddings)
    spec = load_bundle(DEFAULT_BUNDLE)
    with Journal(write_run(run, LEARNS)) as journal:
        adults = [film for film in journal.films() if film.result.name < "0100.jpg"]
        journal.start_session("key")
        journal.add_films(
            replace(
                film, result=replace(film.result, population="adults", prob_pneumonia=spec.probability(each, "adults"))
            )
            for film, each in zip(adults, log_odds[:100], strict=True)
        )
    invoke("adapt", run, "-o", tmp_path / "ours", "--positive-share", "0.2")
    threshold = load_bundle(tmp_path / "ours").operating_points["share"].threshold
    with Journal(run) as journal:
        assert sum((film.result.prob_pneumonia or 0.0) >= threshold for film in journal.films()) == 40


def test_a_share_heeds_no_label_and_what_asks_for_labels_is_refused_beside_it(run: Path, tmp_path: Path) -> None:
    labels, asked = write_labels(tmp_path / "truth.csv", LEARNS), ("adapt", run, "--positive-share", "0.2")
    for option in (("--labels", labels), ("--sensitivity", 0.9), ("--rung", "head"), ("--validation-run", run)):
        said = invoke(*asked, "-o", tmp_path / "ours", *option)
        assert (said.exit_code, f"leave {option[0]} out" in said.stderr) == (2, True)
    invoke("report", run, "--labels", labels)
    said = invoke(*asked, "-o", tmp_path / "ours")
    assert "100 with pneumonia and 100 without are enough" in said.stdout
    assert "No label has validated this threshold" in said.stdout
    assert load_bundle(tmp_path / "ours").default_operating_point == "share"


def test_what_cannot_be_adapted_is_told(run: Path, tmp_path: Path) -> None:
    few, other = tmp_path / "few.csv", tmp_path / "other"
    few.write_text("path,label\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(LEARNS.names[:12])))
    error = refused("adapt", run, "--labels", few, "-o", tmp_path / "ours")
    assert error.code == "labels-few"
    assert "4 more with pneumonia and 4 more without" in error.message
    shutil.copytree(DEFAULT_BUNDLE, other)
    document = read_document(DEFAULT_BUNDLE)
    populations = {name: {**each, "scale": 0.3} for name, each in document["calibration"]["populations"].items()}
    calibration = {**document["calibration"], "populations": populations}
    (other / "model.json").write_text(json.dumps({**document, "calibration": calibration}))
    labels = write_labels(tmp_path / "truth.csv", LEARNS)
    assert refused("adapt", run, "--labels", labels, "-o", tmp_path / "ours", "--model", other).code == "other-bundle"
    assert refused("adapt", run, "--labels", labels, "-o", other).code == "bundle-exists"
    error = refused("adapt", run, "--labels", few, "-o", tmp_path / "ours", "--fine-tune")
    assert error.code == "labels-few"
    assert "not without 84 more with pneumonia and 84 more without" in error.message
    asked = ("adapt", run, "--labels", labels, "-o", tmp_path / "ours", "--fine-tune", "--films", tmp_path)
    assert refused(*asked).code == "films-missing"


@pytest.mark.parametrize(("n", "per_patient"), [(24, 12), (100, 10), (200, 100)])
def test_many_films_of_a_few_people_are_not_enough(n: int, per_patient: int, tmp_path: Path) -> None:
    films = made_films(n, per_patient=per_patient)
    run, labels = write_run(tmp_path / "run", films), write_labels(tmp_path / "truth.csv", films)
    error = refused("adapt", run, "--labels", labels, "-o", tmp_path / "ours", "--force")
    assert (error.code, "10 and 10 are needed" in error.message) == ("labels-few", True)


def test_films_of_ten_people_with_pneumonia_and_ten_without_are_enough(tmp_path: Path) -> None:
    films = made_films(100, per_patient=5)
    run, labels = write_run(tmp_path / "run", films), write_labels(tmp_path / "truth.csv", films)
    said = invoke("adapt", run, "--labels", labels, "-o", tmp_path / "ours", "--force")
    assert "100 labelled films of 20 people" in said.stdout


def test_what_becomes_of_the_films_of_the_old_model_is_told_where_they_are_given(run: Path, tmp_path: Path) -> None:
    labels, old = write_labels(tmp_path / "truth.csv", LEARNS), tmp_path / "old"
    before = made_films(60, seed=9)
    write_run(old, before)
    asked = ("adapt", run, "--labels", labels, "-o", tmp_path / "ours", "--validation-run", old)
    assert refused(*asked).code == "labels-few"
    invoke("report", old, "--labels", write_labels(tmp_path / "old.csv", before))
    told = json.loads(invoke(*asked, "--json").stdout)["validation_of_parent"]
    assert told["n_films"] == 60
    assert told["before"]["auc"]["value"] != told["after"]["auc"]["value"]
    card = (tmp_path / "ours/MODEL_CARD.md").read_text()
    assert "the parent's validation films before" in card
    assert "is not known." not in card
