"""results.csv and its siblings."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.reports.tables import csv_file, jsonl_file, parquet_file
from cxrscan.reports.tables.columns import COLUMNS
from cxrscan.scanner.errors import RunFolderError
from tests.reports.films import failed, run_of, scored, small_run

GOLDEN = Path(__file__).with_name("golden_results.csv")


def written(folder: Path, films) -> Path:
    path = folder / "results.csv"
    csv_file.write_table(path, COLUMNS, run_of(films))
    return path


def test_the_csv_is_the_golden_one_byte_for_byte(tmp_path):
    assert written(tmp_path, small_run()).read_bytes() == GOLDEN.read_bytes()


def test_pandas_reads_the_csv_without_options(tmp_path):
    table = pd.read_csv(written(tmp_path, small_run()))
    assert list(table.columns) == [column.name for column in COLUMNS]
    assert table["prob_pneumonia"].dtype == "float64"
    assert table["status"].value_counts().to_dict() == {"scored": 9, "failed": 2, "rejected": 1}
    assert table.loc[9, ["prediction", "prob_pneumonia"]].isna().all()


def test_excel_recognises_the_encoding_by_its_mark(tmp_path):
    data = written(tmp_path, [scored("Müller Straße.jpg", 0.5)]).read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert "Müller Straße" in data.decode("utf-8-sig")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_formulas_are_neutralised(start):
    assert csv_file.neutralised(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@given(name=st.text(min_size=1).filter(lambda name: "\0" not in name), message=st.text())
def test_any_name_and_message_survive_the_csv(tmp_path_factory, name, message):
    path = written(tmp_path_factory.mktemp("csv"), [failed(name, message=message)])
    with path.open(encoding="utf-8-sig", newline="") as stream:
        _, row = csv.reader(stream)
    cells = dict(zip((column.name for column in COLUMNS), row, strict=True))
    assert cells["path"] == csv_file.neutralised(name)
    assert cells["error_message"] == csv_file.neutralised(message)


def test_bytes_that_are_no_text_are_written_with_backslashes(tmp_path):
    film = scored("a.jpg", 0.5)
    film = replace(film, result=replace(film.result, name="caf\udce9.jpg"))
    assert "caf\\udce9.jpg" in written(tmp_path, [film]).read_text(encoding="utf-8-sig")


def test_json_lines_carry_typed_and_rounded_values(tmp_path):
    path = tmp_path / "results.jsonl"
    jsonl_file.write_table(path, COLUMNS, run_of(small_run()))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 12
    assert rows[4]["prob_pneumonia"] == 0.4999
    assert rows[4]["prediction"] == "NORMAL"
    assert rows[9]["prob_pneumonia"] is None
    assert rows[9]["error_code"] == "truncated"


def test_parquet_holds_what_the_csv_holds(tmp_path):
    path = tmp_path / "results.parquet"
    parquet_file.write_table(path, COLUMNS, run_of(small_run()))
    table = pd.read_parquet(path)
    expected = pd.read_csv(written(tmp_path, small_run()))
    assert list(table.columns) == list(expected.columns)
    assert table["path"].tolist() == expected["path"].tolist()
    pd.testing.assert_series_equal(table["prob_pneumonia"], expected["prob_pneumonia"])
    assert str(table["width_px"].dtype) in ("float64", "Int64")


def test_a_table_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "results.jsonl").mkdir()
    with pytest.raises(RunFolderError) as caught:
        jsonl_file.write_table(tmp_path / "results.jsonl", COLUMNS, run_of(small_run()))
    assert caught.value.code == "output-unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]
