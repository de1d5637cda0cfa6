"""Truth from class folders and from label files, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.errors import HINTS, LabelError
from cxrscan.scanner.evaluation.label_file import LabelColumns, LabelRow, parse_label
from cxrscan.scanner.evaluation.labels import (
    FolderLabels,
    LabelJoin,
    LabelRequest,
    TableLabels,
    class_folder,
    has_class_folders,
    load_labels,
    open_labels,
)
from cxrscan.scanner.records import NEGATIVE, POSITIVE


def label_file(folder: Path, text: str, *, name: str = "labels.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def join(
    folder: Path, text: str, *names: str, root: Path | None = None, columns: LabelColumns | None = None
) -> LabelJoin:
    return load_labels(label_file(folder, text), (root,) if root else (), columns).join(names)


class TestSpellings:
    @pytest.mark.parametrize(
        "text", ["PNEUMONIA", "pneumonia", " Pneumonia ", "1", "1.0", "yes", "Y", "TRUE", "positive"]
    )
    def test_positive(self, text: str) -> None:
        assert parse_label(text) == POSITIVE

    @pytest.mark.parametrize("text", ["NORMAL", "normal", "0", "0.0", "no", "N", "False", "Negative"])
    def test_negative(self, text: str) -> None:
        assert parse_label(text) == NEGATIVE

    def test_a_mapping_adds_spellings_and_goes_first(self) -> None:
        mapping = {"Viral": "1", "0": "PNEUMONIA"}
        assert [parse_label(text, mapping) for text in ("viral ", "0", "no")] == [POSITIVE, POSITIVE, NEGATIVE]

    @pytest.mark.parametrize("text", ["", "2", "maybe", "nan", "pneumoniae"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(LabelError) as error:
            parse_label(text)
        assert error.value.code == "labels-unknown"
        assert repr(text) in error.value.message

    def test_a_mapping_to_an_unknown_class_is_refused(self) -> None:
        with pytest.raises(LabelError, match="'sick'"):
            parse_label("viral", {"viral": "sick"})


class TestClassFolders:
    @pytest.mark.parametrize(
        ("name", "truth"),
        [
            ("NORMAL/a.jpg", NEGATIVE),
            ("train/pneumonia/patient 3/a.jpg", POSITIVE),
            ("PNEUMONIA/normal/a.jpg", NEGATIVE),
            ("NORMAL~2/a.jpg", NEGATIVE),
            ("other/a.jpg", None),
            ("normal.jpg", None),
            ("NORMALS/a.jpg", None),
        ],
    )
    def test_the_nearest_class_folder_decides(self, name: str, truth: str | None) -> None:
        assert class_folder(name) == truth

    def test_the_folder_that_was_scanned_may_be_a_class_folder(self, tmp_path: Path) -> None:
        root = tmp_path / "Pneumonia"
        root.mkdir()
        assert class_folder("sub/a.jpg", (root,)) == POSITIVE

    def test_the_scanned_folder_is_known_by_its_real_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "NORMAL").mkdir()
        monkeypatch.chdir(tmp_path / "NORMAL")
        assert class_folder("a.jpg", (Path(),)) == NEGATIVE

    def test_single_films_are_labelled_by_their_folder(self, tmp_path: Path) -> None:
        roots = (tmp_path / "NORMAL" / "a.jpg", tmp_path / "PNEUMONIA" / "b.jpg")
        assert [class_folder(name, roots) for name in ("a.jpg", "b.jpg")] == [NEGATIVE, POSITIVE]

    def test_folders_above_the_scanned_one_say_nothing(self, tmp_path: Path) -> None:
        root = tmp_path / "pneumonia" / "films"
        root.mkdir(parents=True)
        assert class_folder("unlabelled/a.jpg", (root,)) is None

    def test_films_without_a_label_are_told(self) -> None:
        found = FolderLabels().join(["NORMAL/a.jpg", "b.jpg"])
        assert (dict(found.truth), found.unlabelled) == ({"NORMAL/a.jpg": NEGATIVE}, ("b.jpg",))
        assert found.sentence == "1 of 2 films has a label (folders)."


class TestReading:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_spreadsheets_of_any_make_are_read(
        self, tmp_path: Path, delimiter: str, encoding: str, line_end: str
    ) -> None:
        lines = [("Patient", " Path ", "LABEL"), ("7", "Lübeck/a.jpg", "1"), ("", "", ""), ("8", "b.jpg", "no")]
        text = line_end.join(delimiter.join(cells) for cells in lines)
        labels = load_labels(label_file(tmp_path, text, encoding=encoding))
        assert [(row.path, row.truth, row.columns) for row in labels.rows] == [
            ("Lübeck/a.jpg", POSITIVE, {"patient": "7"}),
            ("b.jpg", NEGATIVE, {"patient": "8"}),
        ]

    def test_quoted_cells_may_hold_the_delimiter(self, tmp_path: Path) -> None:
        found = join(tmp_path, 'path,label\n"a, b.jpg",1\n', "a, b.jpg")
        assert found.truth == {"a, b.jpg": POSITIVE}

    def test_results_of_a_labelled_run_serve_as_labels(self, tmp_path: Path) -> None:
        text = "path,status,prediction,truth\nNORMAL/a.jpg,scored,PNEUMONIA,NORMAL\nb.jpg,scored,NORMAL,\n"
        found = join(tmp_path, text, "NORMAL/a.jpg", "b.jpg")
        assert found.truth == {"NORMAL/a.jpg": NEGATIVE}
        assert found.unlabelled == ("b.jpg",)

    @pytest.mark.parametrize("name", ["=1+1.jpg", "+a.jpg", "-a.jpg", "@a/b.jpg"])
    def test_cells_guarded_against_formulas_match(self, tmp_path: Path, name: str) -> None:
        assert join(tmp_path, f"path,label\n'{name},1\n", name).truth == {name: POSITIVE}

    def test_an_apostrophe_of_the_name_itself_stays(self, tmp_path: Path) -> None:
        assert join(tmp_path, "path,label\n'a'.jpg,1\n", "'a'.jpg").truth == {"'a'.jpg": POSITIVE}

    def test_short_lines_count_as_unlabelled(self, tmp_path: Path) -> None:
        assert join(tmp_path, "path,label\na.jpg\nb.jpg,1\n", "a.jpg", "b.jpg").unlabelled == ("a.jpg",)

    def test_the_same_line_twice_is_one(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\na.jpg,1\n./a.jpg,yes\n", "a.jpg")
        assert (found.truth, found.unmatched) == ({"a.jpg": POSITIVE}, ())

    @pytest.mark.parametrize(
        ("text", "code", "told"),
        [
            ("", "labels-unreadable", "(none)"),
            ("path,prob\na,1\n", "labels-unreadable", "has the columns path, prob: "),
            ("path,label\na.jpg,1\n,1\n", "labels-unreadable", "line 3"),
            ("path,label\na.jpg,1\nb.jpg,ill\n", "labels-unknown", "line 3: 'ill'"),
            ("path,label\na.jpg,1\nb.jpg,0\na.jpg,0\n", "labels-conflict", "lines 2 and 4"),
            ("path,label\n", "labels-none", "no line with a label"),
            ("path,label\na.jpg,\n", "labels-none", "no line with a label"),
            ("path,label\n" + "a" * 200_000 + ",1\n", "labels-unreadable", "line 2"),
        ],
    )
    def test_files_that_are_no_labels_are_refused_with_the_line(
        self, tmp_path: Path, text: str, code: str, told: str
    ) -> None:
        with pytest.raises(LabelError, match=r"labels\.csv") as error:
            load_labels(label_file(tmp_path, text))
        assert (error.value.code, told in error.value.message) == (code, True)
        assert error.value.code in HINTS

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(LabelError, match="cannot be read") as error:
            load_labels(tmp_path / "none.csv")
        assert error.value.code == "labels-unreadable"

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.xlsx"
        path.write_bytes(b"PK\x03\x04\xff\xfe\x80")
        with pytest.raises(LabelError, match="no text"):
            load_labels(path)


class TestJoining:
    def test_by_the_path_shown(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nx/a.jpg,1\ny/a.jpg,0\n", "x/a.jpg", "y/a.jpg")
        assert found.truth == {"x/a.jpg": POSITIVE, "y/a.jpg": NEGATIVE}

    def test_by_the_absolute_path(self, tmp_path: Path) -> None:
        text = f"path,label\n{tmp_path}/set1/a.jpg,1\n{tmp_path}/set2/a.jpg,0\n"
        found = join(tmp_path, text, "a.jpg", root=tmp_path / "set2")
        assert found.truth == {"a.jpg": NEGATIVE}

    def test_by_the_path_of_another_machine(self, tmp_path: Path) -> None:
        text = "path,label\nC:\\films\\x\\a.jpg,1\nC:\\films\\y\\a.jpg,0\n"
        found = join(tmp_path, text, "x/a.jpg", "y/a.jpg", root=tmp_path)
        assert found.truth == {"x/a.jpg": POSITIVE, "y/a.jpg": NEGATIVE}
        assert found.n_other_folder == 0

    def test_by_the_end_of_the_path(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nx/a.jpg,1\n", "train/x/a.jpg")
        assert (found.truth, found.n_other_folder) == ({"train/x/a.jpg": POSITIVE}, 0)

    def test_by_the_file_name_when_nothing_else_fits(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nelsewhere/a.jpg,1\n", "x/a.jpg")
        assert (found.truth, found.n_other_folder) == ({"x/a.jpg": POSITIVE}, 1)
        assert "1 by file name from another folder" in found.sentence

    def test_accents_match_however_they_are_encoded(self, tmp_path: Path) -> None:
        composed, decomposed = "Lu\u0308beck.jpg", "L\u00fcbeck.jpg"
        assert join(tmp_path, f"path,label\n{composed},1\n", decomposed).truth == {decomposed: POSITIVE}

    def test_a_line_that_fits_two_films_is_not_guessed(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\na.jpg,1\nb.jpg,1\n", "x/a.jpg", "y/a.jpg", "b.jpg")
        assert found.truth == {"b.jpg": POSITIVE}
        assert found.ambiguous == ("x/a.jpg", "y/a.jpg")
        assert [row.line for row in found.unmatched] == [2]
        assert found.sentence == (
            "1 of 3 films has a label (labels.csv), 2 left out because several fit, 1 line names no film."
        )

    def test_a_film_that_fits_two_lines_is_not_guessed(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nx/a.jpg,1\ny/a.jpg,1\n", "a.jpg")
        assert (found.truth, found.ambiguous) == ({}, ("a.jpg",))

    def test_a_line_goes_to_the_film_that_fits_best(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\np1/view.jpg,1\n", "p1/view.jpg", "p2/view.jpg")
        assert found.truth == {"p1/view.jpg": POSITIVE}
        assert (found.unlabelled, found.ambiguous) == (("p2/view.jpg",), ())

    def test_a_whole_line_fits_better_than_the_end_of_another(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nx/a.jpg,0\na.jpg,1\n", "train/a.jpg")
        assert found.truth == {"train/a.jpg": POSITIVE}

    def test_lines_that_name_no_film_are_told(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\na.jpg,1\ngone.jpg,0\n", "a.jpg")
        assert [(row.line, row.path) for row in found.unmatched] == [(3, "gone.jpg")]

    def test_a_film_keeps_its_line_with_all_columns(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label,patient,site\na.jpg,1,p7,Lima\n", "a.jpg")
        assert found.rows["a.jpg"].columns == {"patient": "p7", "site": "Lima"}

    @given(
        st.lists(
            st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join), unique=True, max_size=12
        )
    )
    def test_films_are_never_mixed_up_when_the_file_names_them_all(self, names: list[str]) -> None:
        truth = {name: POSITIVE if len(name) % 3 else NEGATIVE for name in names}
        rows = tuple(LabelRow(line, name, truth[name]) for line, name in enumerate(names, start=2))
        found = TableLabels("labels.csv", rows).join(reversed(names))
        assert found.truth == truth
        assert found.unmatched == ()


class TestColumnsOfPublicSets:
    @pytest.mark.parametrize(
        ("text", "names", "truth"),
        [
            (
                "Image Index,Finding Labels\n1.png,Effusion|Pneumonia\n2.png,No Finding\n3.png,Mass\n",
                ("1.png", "2.png", "3.png"),
                [POSITIVE, NEGATIVE, NEGATIVE],
            ),
            ("patientId,x,Target\nab-1,3,1\nab-1,9,1\ncd-2,,0\n", ("ab-1.dcm", "cd-2.dcm"), [POSITIVE, NEGATIVE]),
            (
                "Path,Sex,Pneumonia\nCheX/p1/v.jpg,F,1.0\nCheX/p2/v.jpg,F,-1.0\nCheX/p3/v.jpg,M,\nCheX/p4/v.jpg,M,0.0\n",
                ("p1/v.jpg", "p4/v.jpg"),
                [POSITIVE, NEGATIVE],
            ),
            (
                "ImageID,Labels\n7.png,\"['pneumonia', 'laminar']\"\n8.png,\"['normal']\"\n",
                ("7.png", "8.png"),
                [POSITIVE, NEGATIVE],
            ),
            ("filename,pneumonia\na.jpg,1\nb.jpg,0\n", ("a.jpg", "b.jpg"), [POSITIVE, NEGATIVE]),
        ],
        ids=["NIH", "RSNA", "CheXpert", "PadChest", "plain"],
    )
    def test_are_understood(self, tmp_path: Path, text: str, names: tuple[str, ...], truth: list[str]) -> None:
        found = join(tmp_path, text, *names)
        assert [found.truth.get(name) for name in names] == truth

    def test_unsure_is_no_label(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\na.jpg,-1\nb.jpg,unsure\nc.jpg,1\n", "a.jpg", "b.jpg", "c.jpg")
        assert (found.truth, found.unlabelled) == ({"c.jpg": POSITIVE}, ("a.jpg", "b.jpg"))

    def test_a_mapping_applies_to_each_finding(self, tmp_path: Path) -> None:
        columns = LabelColumns(mapping={"Consolidation": "1"})
        found = join(tmp_path, "file,Finding Labels\na.png,Mass|Consolidation\n", "a.png", columns=columns)
        assert found.truth == {"a.png": POSITIVE}

    def test_columns_can_be_named(self, tmp_path: Path) -> None:
        text = "label,path,Film,Reading\nleft,x,a.jpg,1\nright,y,b.jpg,0\n"
        found = join(tmp_path, text, "a.jpg", "b.jpg", columns=LabelColumns("film", "READING"))
        assert found.truth == {"a.jpg": POSITIVE, "b.jpg": NEGATIVE}

    def test_a_named_column_that_is_missing_is_told_with_those_that_are_there(self, tmp_path: Path) -> None:
        with pytest.raises(LabelError, match=r"has the columns path, label: no column 'film'"):
            join(tmp_path, "path,label\na.jpg,1\n", columns=LabelColumns("film"))

    @pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
    def test_a_first_line_may_name_the_separator(self, tmp_path: Path, first: str) -> None:
        assert join(tmp_path, f"{first}path;label\na.jpg;1\n", "a.jpg").truth == {"a.jpg": POSITIVE}

    def test_lines_are_counted_from_the_top_of_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(LabelError, match="line 3"):
            join(tmp_path, "sep=;\npath;label\na.jpg;maybe\n")


class TestNamesThatNearlyMeet:
    @pytest.mark.parametrize(
        ("line", "film"),
        [
            ("000", "000.dcm"),
            ("a.JPEG", "a.jpeg"),
            ("A.png", "x/a.jpg"),
            ("Set/000.DCM", "set/000.dcm"),
            ("IM.0001", "IM.0001"),
        ],
    )
    def test_case_and_ending_may_differ(self, tmp_path: Path, line: str, film: str) -> None:
        assert join(tmp_path, f"path,label\n{line},1\n", film).truth == {film: POSITIVE}

    def test_the_sentence_counts_them(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\n000,1\nb.jpg,0\n", "000.dcm", "b.jpg")
        assert found.sentence.startswith("2 of 2 films have a label (labels.csv), 1 by a name in another case")

    def test_two_films_of_one_stem_are_not_guessed(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\na,1\nb.jpg,1\n", "a.jpg", "a.png", "b.jpg")
        assert (found.truth, found.ambiguous) == ({"b.jpg": POSITIVE}, ("a.jpg", "a.png"))

    def test_two_lines_of_one_stem_are_not_guessed(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nA.png,1\na.PNG,0\nb.jpg,1\n", "a.jpg", "b.jpg")
        assert (found.truth, found.ambiguous) == ({"b.jpg": POSITIVE}, ("a.jpg",))

    def test_a_name_as_written_goes_first(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\na.jpg,1\nA.jpg,0\n", "a.jpg", "A.jpg")
        assert found.truth == {"a.jpg": POSITIVE, "A.jpg": NEGATIVE}

    def test_numbers_after_a_point_belong_to_the_name(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nIM.0001,1\nIM.0002,0\n", "im.0001", "im.0002")
        assert found.truth == {"im.0001": POSITIVE, "im.0002": NEGATIVE}


class TestMisfit:
    def test_nothing_that_joins_is_told_with_one_of_each_side(self, tmp_path: Path) -> None:
        found = join(tmp_path, "path,label\nother.jpg,1\nf_00a.jpg,0\n", "f_00.jpg", "zebra.jpg")
        assert found.misfit == (
            "0 of 2 films have a label: a film is called 'f_00.jpg', and a line of labels.csv names 'f_00a.jpg'."
        )
        with pytest.raises(LabelError) as error:
            found.refuse_misfit()
        assert error.value.code == "labels-unmatched"

    def test_little_that_joins_is_a_misfit_too(self, tmp_path: Path) -> None:
        lines = "".join(f"p{i}.jpg,1\n" for i in range(99))
        films = [f"q{i}.jpg" for i in range(99)]
        assert join(tmp_path, f"path,label\nsame.jpg,1\n{lines}", "same.jpg", *films).misfit

    @pytest.mark.parametrize(("n_lines", "n_films"), [(1000, 3), (3, 1000)])
    def test_a_file_of_more_or_fewer_films_is_none(self, tmp_path: Path, n_lines: int, n_films: int) -> None:
        lines = "".join(f"{i}.jpg,1\n" for i in range(n_lines))
        found = join(tmp_path, f"path,label\n{lines}", *(f"{i}.jpg" for i in range(n_films)))
        assert (found.misfit, len(found.truth)) == ("", 3)

    def test_no_films_are_no_misfit(self, tmp_path: Path) -> None:
        assert not join(tmp_path, "path,label\na.jpg,1\n").misfit

    def test_folders_without_a_class(self) -> None:
        assert FolderLabels().join(["x/a.jpg"]).misfit == (
            "No film lies in a folder called NORMAL or PNEUMONIA; a film is called 'x/a.jpg'."
        )
        assert not FolderLabels().join(["x/a.jpg", "normal/b.jpg"]).misfit


def test_class_folders_are_noticed_when_there_are_both() -> None:
    assert has_class_folders(["NORMAL/a.jpg", "x/b.jpg", "set/Pneumonia/c.jpg"])
    assert not has_class_folders(["NORMAL/a.jpg", "b.jpg"])


def test_open_labels_takes_the_word_folders_or_a_file(tmp_path: Path) -> None:
    assert open_labels(LabelRequest("folders"), (tmp_path / "NORMAL",)).join(["a.jpg"]).truth == {"a.jpg": NEGATIVE}
    path = label_file(tmp_path, "path,label\na.jpg,ill\n")
    labels = open_labels(LabelRequest(str(path), LabelColumns(mapping={"ill": "1"})))
    assert (labels.source, labels.join(["a.jpg"]).truth) == ("labels.csv", {"a.jpg": POSITIVE})


def test_a_hundred_thousand_films_of_one_file_name_are_joined_by_their_folders(tmp_path: Path) -> None:
    names = [f"patient{i:05d}/study1/view1_frontal.jpg" for i in range(100_000)]
    path = label_file(tmp_path, "path,label\n" + "".join(f"set/{name},{i % 2}\n" for i, name in enumerate(names)))
    found = load_labels(path).join(names)
    assert len(found.truth) == 100_000
    assert found.truth[names[7]] == POSITIVE
