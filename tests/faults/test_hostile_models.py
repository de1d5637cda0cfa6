"""A bundle of unknown origin runs no code, and a damaged one ends in a sentence."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from scanner.model_bundle import DEFAULT_BUNDLE
from tests.builders import write_film
from tests.faults.harness import run

flatbuffers = pytest.importorskip("flatbuffers")  # what the runtime's schema module itself imports


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


@pytest.mark.parametrize("name", ["model.pkl", "model.h5", "model.keras", "saved_model.pb"])
def test_other_kinds_of_model_are_not_even_opened(name: str, films: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / name).write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    for model in (tmp_path / "bundle", tmp_path / "bundle" / name):
        code, said = run(films, tmp_path / "out", "--model", model, cwd=tmp_path)
        assert code == 1
        assert "[bundle-missing]" in said
    assert not (tmp_path / "pwned").exists()
