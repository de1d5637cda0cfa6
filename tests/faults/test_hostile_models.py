"""A bundle of unknown origin runs no code, and a damaged one ends in a sentence."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from cxrscan.scanner import trial
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.executors.base import Chunk
from cxrscan.scanner.executors.processes import Scan
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, check_document, parse_description
from cxrscan.scanner.records import ImageSource, ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.text import printable
from cxrscan.scanner.trial import open_bundle, verify_bundle
from cxrscan.scanner.worker import open_model, scan_chunk
from tests.builders import write_film
from tests.faults.harness import run

flatbuffers = pytest.importorskip("flatbuffers")  # what the runtime's schema module itself imports
WEIGHTS = (DEFAULT_BUNDLE / "model.tflite").read_bytes()


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for seed in range(3):
        write_film(tmp_path / f"films/{seed}.png", seed, height=210, width=210)
    return tmp_path / "films"


def bundle_of(folder: Path, weights: bytes, **fields: object) -> Path:
    """A bundle whose JSON vouches for any weights."""
    folder.mkdir(parents=True)
    document = json.loads((DEFAULT_BUNDLE / "model.json").read_text())
    document |= {"weights_sha256": hashlib.sha256(weights).hexdigest(), **fields}
    (folder / "model.json").write_text(json.dumps(document))
    (folder / "model.tflite").write_bytes(weights)
    return folder


def repacked(change: Callable[[schema.ModelT], None]) -> bytes:
    """The shipped weights with a change, as a flatbuffer again."""
    model = schema.ModelT.InitFromPackedBuf((DEFAULT_BUNDLE / "model.tflite").read_bytes(), 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def make_every_operation_custom(model: schema.ModelT) -> None:
    for code in model.operatorCodes:
        code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, schema.BuiltinOperator.CUSTOM
        code.customCode = b"FlexPyFunc"


def forget_the_signature(model: schema.ModelT) -> None:
    model.signatureDefs = []


def call_outputs_otherwise(model: schema.ModelT) -> None:
    for output in model.signatureDefs[0].outputs:
        output.name = b"something"


@pytest.mark.parametrize("change", [make_every_operation_custom, forget_the_signature, call_outputs_otherwise])
def test_weights_that_are_none_of_ours_are_refused(
    change: Callable[[schema.ModelT], None], films: Path, tmp_path: Path
) -> None:
    code, said = run(films, tmp_path / "out", "--model", bundle_of(tmp_path / "bundle", repacked(change)))
    assert code == 1, said
    assert "[bundle-invalid]" in said
    assert "Traceback" not in said


def test_a_bundle_of_another_input_size_than_it_says_is_refused(films: Path, tmp_path: Path) -> None:
    weights = (DEFAULT_BUNDLE / "model.tflite").read_bytes()
    code, said = run(films, tmp_path / "out", "--model", bundle_of(tmp_path / "bundle", weights, input_px=100))
    assert code == 1, said
    assert "[bundle-invalid]" in said


@pytest.mark.parametrize("seed", range(4))
def test_damaged_weights_end_the_run_with_a_sentence(seed: int, films: Path, tmp_path: Path) -> None:
    chance = random.Random(seed)
    weights = bytearray((DEFAULT_BUNDLE / "model.tflite").read_bytes())
    for _ in range(200):  # the tables of a flatbuffer lie at its two ends
        weights[chance.choice([chance.randrange(8, 4096), len(weights) - chance.randrange(1, 40_000)])] ^= 1 << seed
    bundle = bundle_of(tmp_path / "bundle", bytes(weights))
    code, said = run(films, tmp_path / "out", "--model", bundle)
    assert code == 1, said
    assert "[bundle-invalid]" in said or "[workers-failed]" in said
    assert "Traceback" not in said
    other = tmp_path / "other"
    shutil.copytree(bundle, other)
    (other / "model.tflite").write_bytes(bytes(weights) + b"\0")
    assert "[bundle-hash]" in run(films, tmp_path / "out2", "--model", other)[1]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "null", "[" * 100_000, '{"temperature": NaN}', "\xff\xfe"],
    ids=["empty", "list", "cut", "null", "deep", "nan", "no text"],
)
def test_a_damaged_description_ends_the_run_with_a_sentence(text: str, films: Path, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle", b"\0\0\0\0TFL3")
    (bundle / "model.json").write_text(text, encoding="latin-1")
    code, said = run(films, tmp_path / "out", "--model", bundle)
    assert code == 1, said
    assert "[bundle-invalid]" in said
    assert "Traceback" not in said


def shipped(**changes: object) -> dict[str, Any]:
    """The shipped description; a change's name is a path with ``__`` between its parts."""
    document: dict[str, Any] = json.loads((DEFAULT_BUNDLE / "model.json").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for parent in parents:
            place = place[parent]
        place[last] = value
    return document


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 1},  # beside a calibration
        {"calibration__populations__children__scale": 0},
        {"calibration__populations__children__offset": 10**9},
        {"calibration__prior": 1},
        {"calibration__finder": None},
        {"calibration__finder__weights__shape": [2**40]},
        {"heat_scale": 1e-320},
        {"name": "\x1b]0;pwned\x07"},
        {"name": "x;=HYPERLINK(1)"},
        {"name": "x" * 65},
        {"version": "\u202e1"},
        {"licence": "\ud800"},
        {"intended_use": "x" * 3_000},
        {"limits": ["x"] * 100},
        {"gate__limits__misfit": 0},
        {"gate__limits__strangeness": -1},
        {"gate__arrays__grey_mean__shape": [2**40]},
        {"operating_points": {f"p{i}": shipped()["operating_points"]["half"] for i in range(100)}},
        {"validation__children": {f"m{i}": {"value": 1} for i in range(100)}},
        {"validation__children__auc__value": 1e11},
        {"training__config": "none"},
        {"training__config__alpha": 1e9},
        {"training__notes": [[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]},
        {"training__notes": [0] * 30_000},
        {"training__\x1b[31m": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_description_out_of_bounds_is_refused_without_repeating_it(changes: dict[str, object]) -> None:
    with pytest.raises(BundleError) as caught:
        check_document(shipped(**changes), where="model.json")
    assert caught.value.code == "bundle-invalid"
    assert len(caught.value.message) < 400
    assert printable(caught.value.message) == caught.value.message
    assert "HYPERLINK" not in caught.value.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999", "1" * 400, "1" * 5_000, "1e13"])
def test_numbers_of_a_description_are_finite_and_bearable(number: str) -> None:
    text = json.dumps(shipped(training={"duration_s": "HERE"})).replace('"HERE"', number)
    with pytest.raises(BundleError) as caught:
        parse_description(text.encode(), DEFAULT_BUNDLE)
    assert caught.value.code == "bundle-invalid"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", shipped()["gate"]["arrays"])
def test_a_gate_that_is_blind_lets_no_film_through(name: str, value: float, tmp_path: Path) -> None:
    document = shipped()
    array = document["gate"]["arrays"][name]
    values = np.frombuffer(base64.b64decode(array["float16"]), "<f2").copy()
    values[-1] = value  # one is enough
    array["float16"] = base64.b64encode(values.tobytes()).decode()
    bundle = bundle_of(tmp_path / "bundle", WEIGHTS, **document)
    film = ImageSource(write_film(tmp_path / "film.png", height=210, width=210), "film.png", "png")
    (result,) = scan_chunk([film], ScanSettings(model=bundle))
    assert isinstance(result, ScanResult)
    assert result.failure is not None
    assert result.failure.code == "no-number"
    assert result.gate_distance is None  # a number that is none would come back from the journal as another row
    (result,) = scan_chunk([film], ScanSettings(model=bundle, gate="off"))
    assert isinstance(result, ScanResult)
    assert result.prob_pneumonia is not None


def test_a_run_with_a_blind_gate_ends_in_rows_that_say_so(films: Path, tmp_path: Path) -> None:
    document = shipped()
    for array in document["gate"]["arrays"].values():
        values = np.frombuffer(base64.b64decode(array["float16"]), "<f2")
        array["float16"] = base64.b64encode(np.full_like(values, np.nan).tobytes()).decode()
    code, said = run(films, tmp_path / "out", "--model", bundle_of(tmp_path / "bundle", WEIGHTS, **document))
    assert code == 3, said
    assert "no-number" in (tmp_path / "out/results.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    "changes",
    [
        {"gate__scales__features": {"median": 1, "high": 1}},
        {
            "gate__arrays__feature_mean": {"shape": [2], "float16": "AAAAAA=="},
            "gate__arrays__feature_basis": {"shape": [1, 2], "float16": "AAAAAA=="},
        },
    ],
    ids=["a scale that does not rise", "features of another number"],
)
def test_what_fits_the_schema_and_not_the_network_is_found_in_the_trial(
    changes: dict[str, object], tmp_path: Path
) -> None:
    bundle = bundle_of(tmp_path / "bundle", WEIGHTS, **shipped(**changes))
    with pytest.raises(BundleError) as caught:
        open_bundle(bundle)
    assert caught.value.code == "bundle-invalid"


def crash(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    """What a bundle that breaks the network's runtime does."""
    os.abort()


def hang(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    """What a bundle with an endless loop does."""
    while True:
        time.sleep(1)


def swell(chunk: Chunk, settings: ScanSettings) -> list[ScanResult | Skip]:
    """What a bundle with huge layers does."""
    return [ScanResult(str(len(bytearray(64 << 30))), None, 0, 0)]


@pytest.mark.parametrize("deed", [crash, hang, swell])
def test_a_bundle_that_crashes_hangs_or_swells_is_told_by_its_trial(
    deed: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_of(tmp_path / "bundle", WEIGHTS)
    monkeypatch.setattr(trial, "scan_patterns", deed)
    monkeypatch.setattr(trial, "_TIMEOUT_S", 3.0)
    with pytest.raises(BundleError) as caught:
        verify_bundle(bundle)
    assert caught.value.code == "bundle-invalid"


def test_a_bundle_that_changes_after_it_was_opened_changes_nothing(films: Path, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle", WEIGHTS, heat_scale=1.0)
    settings = open_bundle(bundle).hold(ScanSettings(gate="off"))
    before = scan_chunk([ImageSource(films / "1.png", "1.png", "png")], settings)
    shutil.rmtree(bundle)
    open_model.cache_clear()
    after = scan_chunk([ImageSource(films / "1.png", "1.png", "png")], settings)
    assert [replace(film, duration_ms=0.0) for film in before] == [replace(film, duration_ms=0.0) for film in after]


def test_a_worker_takes_no_other_bundle_than_the_run_began_with(films: Path, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle", WEIGHTS, heat_scale=1.0)
    settings = replace(open_bundle(bundle).hold(ScanSettings()), model_files=None)  # as of the shipped bundle
    bundle_of(tmp_path / "other", WEIGHTS, heat_scale=5.0).joinpath("model.json").replace(bundle / "model.json")
    with pytest.raises(BundleError) as caught:
        scan_chunk([ImageSource(films / "1.png", "1.png", "png")], settings)
    assert caught.value.code == "bundle-changed"


@pytest.mark.parametrize("name", ["model.json", "model.tflite"])
def test_files_of_a_bundle_that_are_none_are_not_waited_for(name: str, tmp_path: Path) -> None:
    for make in (lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        bundle = bundle_of(tmp_path / "bundle", WEIGHTS)
        (bundle / name).unlink()
        make(bundle / name)
        with pytest.raises(BundleError) as caught:
            open_bundle(bundle)
        assert caught.value.code == "bundle-missing"
        shutil.rmtree(bundle)


@pytest.mark.parametrize("arguments", [["model", "info"], ["model", "verify"], ["view", "--no-browser", "--model"]])
def test_every_command_tries_a_bundle_first(arguments: list[str], tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "bundle", WEIGHTS, **shipped(gate__scales__features={"median": 1, "high": 1}))
    command = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()", *arguments, str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[bundle-invalid]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["model.pkl", "model.h5", "model.keras", "saved_model.pb"])
def test_other_kinds_of_model_are_not_even_opened(name: str, films: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / name).write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    for model in (tmp_path / "bundle", tmp_path / "bundle" / name):
        code, said = run(films, tmp_path / "out", "--model", model, cwd=tmp_path)
        assert code == 1
        assert "[bundle-missing]" in said
    assert not (tmp_path / "pwned").exists()
