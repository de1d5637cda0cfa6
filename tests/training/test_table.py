from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxrscan.scanner.errors import TrainingError
from cxrscan.training.dataset import DataSet, find_all_films, load_films, parse_data_set
from cxrscan.training.films import Box, FilmFile
from cxrscan.training.table import read_table
from tests.builders import write_film
from tests.training.films import TINY, write_data


def table(folder: Path, text: str) -> Path:
    path = folder / "films.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_tells_all_that_is_known_of_a_film(tmp_path: Path) -> None:
    text = (
        "Path,Label,patient,population,weight,view,sex,finding,findings,split,boxes\n"
        'a/1.dcm,pneumonia,p1,adults,0.5,pa,f,Opacity,Mass | Effusion,val,"[[10, 20, 30.5, 40]]"\n'
    )
    assert read_table(table(tmp_path, text), "") == (
        FilmFile(
            name="adults/PNEUMONIA/a/1",
            is_positive=True,
            patient="p1",
            paths=(tmp_path / "a" / "1.dcm",),
            population="adults",
            view="PA",
            sex="F",
            finding="opacity",
            findings=("Mass", "Effusion"),
            split="validation",
            weight=0.5,
            boxes=(Box(10, 20, 30.5, 40),),
        ),
    )


def test_path_and_label_are_enough(tmp_path: Path) -> None:
    (film,) = read_table(table(tmp_path, "path,label\nperson7_virus_2.jpeg,PNEUMONIA\n"), "children")
    assert (film.patient, film.population, film.weight, film.boxes) == ("person7", "children", 1.0, ())


def test_a_film_without_weight_is_left_out(tmp_path: Path) -> None:
    films = read_table(table(tmp_path, "path,label,weight\na.png,NORMAL,0\nb.png,NORMAL,\n"), "")
    assert [film.stem for film in films] == ["b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs the columns path and label"),
        ("path,patient\na.png,1", "needs the columns path and label"),
        ("path,label\n,NORMAL", "line 2: the path is missing"),
        ("path,label\na.png,NORMAL\nb.png,ill", "line 3: the label 'ill'"),
        ("path,label,weight\na.png,NORMAL,-1", "weight -1"),
        ("path,label,weight\na.png,NORMAL,much", "line 2: could not convert"),
        ("path,label,weight\na.png,NORMAL,nan", "weight nan"),
        ("path,label,split\na.png,NORMAL,test", "the split 'test'"),
        ("path,label,boxes\na.png,PNEUMONIA,here", "boxes must be a list"),
        ('path,label,boxes\na.png,PNEUMONIA,"[[1, 2, 3]]"', "boxes must be a list"),
        ('path,label,boxes\na.png,PNEUMONIA,"[[1, 2, 0, 3]]"', "without width or height"),
        ('path,label,boxes\na.png,NORMAL,"[[1, 2, 3, 3]]"', "cannot have boxes"),
    ],
)
def test_an_unfit_table_stops_the_run_and_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said.replace("[", r"\[")) as caught:
        read_table(table(tmp_path, text), "")
    assert caught.value.code == "data-unusable"


def test_folders_and_tables_come_together_each_under_its_name(tmp_path: Path) -> None:
    children = write_data(tmp_path / "children", n_patients=2, films_each=1)
    write_film(tmp_path / "1.png", height=40, width=80)
    write_film(tmp_path / "2.png", height=40, width=80)
    adults = table(tmp_path, 'path,label,boxes\n1.png,NORMAL,\n2.png,PNEUMONIA,"[[40, 0, 40, 20]]"\n')
    films = find_all_films([DataSet(children, "children"), DataSet(adults, "adults")])
    assert [film.name for film in films] == [
        "children/NORMAL/IM-0000-0000",
        "children/NORMAL/IM-0001-0000",
        "children/PNEUMONIA/person0_virus_0",
        "children/PNEUMONIA/person1_virus_0",
        "adults/NORMAL/1",
        "adults/PNEUMONIA/2",
    ]
    loaded = load_films(films, TINY)
    assert loaded.populations == ("children", "adults")
    ill = {film.name.partition("/")[2]: loaded.ill(i) for i, film in enumerate(loaded.films)}
    assert ill["PNEUMONIA/2"].mean() == 0.25
    assert ill["PNEUMONIA/2"][:16, 16:].all(), "the upper right quarter, whatever the film's shape"
    assert ill["PNEUMONIA/person0_virus_0"].all()
    assert not ill["NORMAL/1"].any()
    assert {np.dtype(each.dtype) for each in ill.values()} == {np.dtype(np.float32)}


def test_two_films_of_one_name_ask_for_names_of_the_populations(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", n_patients=2)
    with pytest.raises(TrainingError, match="name the populations"):
        find_all_films([DataSet(data), DataSet(data)])


def test_a_data_set_is_a_path_with_or_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    assert parse_data_set(str(tmp_path / "a=b")) == DataSet(tmp_path / "a=b")
    assert parse_data_set(f"children={tmp_path}") == DataSet(tmp_path, "children")
    with pytest.raises(TrainingError, match="no folder or file"):
        parse_data_set(f"children={tmp_path / 'none'}")
