"""The report of a film's regions: outlines in the stored picture, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.dicom_results.fhir import observation
from cxrscan.scanner.dicom_results.film_header import read_film_header
from cxrscan.scanner.dicom_results.film_results import Wanted
from cxrscan.scanner.dicom_results.modules import encode
from cxrscan.scanner.dicom_results.read_back import read_result, source_of
from cxrscan.scanner.dicom_results.regions_report import make_regions_report
from cxrscan.scanner.dicom_results.report import make_report
from cxrscan.scanner.dicom_results.write import write_results
from cxrscan.scanner.records import Region
from cxrscan.scanner.render import render
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from tests.scanner.dicom_results.objects import FILM, answer, film
from tests.scanner.dicom_results.validators import iod_errors, template_errors

HEADER = read_film_header(film())
SQUARE = ((20, 40), (59, 40), (59, 99), (20, 99))
REGIONS = (
    Region(SQUARE, (40, 60), 0.61, 0.8765, "right", "lower"),
    Region(((130, 50), (180, 50), (150, 120)), (150, 60), 0.3, 0.2, "", ""),
)


def made(**film_attributes: object) -> Dataset:
    return make_regions_report(read_film_header(film(**film_attributes)), answer(regions=REGIONS))  # type: ignore[arg-type]


def test_regions_come_back_with_place_strength_and_outline() -> None:
    said = read_result(encode(made()))
    assert (said.kind, said.film_sop_uid, said.film_frame) == ("regions", HEADER.sop_uid, 1)
    assert [(region.place, region.strength) for region in said.regions] == [
        ("right lower zone of lung", 0.8765),
        ("lung", 0.2),
    ]
    corners = [(x + 0.5, y + 0.5) for x, y in SQUARE]
    assert said.regions[0].outline_px == (*corners, corners[0])
    assert said.sentence == (
        f"Regions of film {HEADER.sop_uid}: right lower zone of lung (strength 0.88), lung (strength 0.20); by toy 1.0."
        " Research only, not for diagnosis."
    )


def test_outlines_lie_in_the_stored_picture_where_its_pixels_are_no_squares() -> None:
    tall = made(pixels=FILM[::2], PixelAspectRatio=[2, 1])
    region = read_result(encode(tall)).regions[0]
    assert region.outline_px[:2] == ((20.5, 20.25), (59.5, 20.25))


def test_a_report_of_regions_keeps_the_rules_and_names_its_frame(tmp_path: Path) -> None:
    xa = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.12.1", "Modality": "XA"}
    frames = read_film_header(film(1, np.stack([FILM, FILM]), **xa), 2)
    objects = {"one": made(), "frame": make_regions_report(frames, answer(regions=REGIONS), ["2.25.7"])}
    for name, made_object in objects.items():
        (tmp_path / f"{name}.dcm").write_bytes(encode(made_object))
    paths = [tmp_path / f"{name}.dcm" for name in objects]
    assert iod_errors(paths) == []
    assert template_errors(paths, tmp_path) == (2, [])
    said = read_result(paths[1].read_bytes())
    assert (said.film_frame, said.predecessors) == (2, ("2.25.7",))
    assert source_of(objects["frame"]) == (frames.sop_uid, 2)


def test_regions_and_report_are_different_objects_of_different_series() -> None:
    report = make_report(HEADER, answer(regions=REGIONS))
    assert report.SOPInstanceUID != made().SOPInstanceUID
    assert report.SeriesInstanceUID != made().SeriesInstanceUID


def test_a_report_of_regions_is_no_observation() -> None:
    with pytest.raises(ValueError, match="holds a value"):
        observation(read_result(encode(made())))


def test_a_report_of_regions_of_another_program_is_none_of_ours() -> None:
    other = made()
    other.Manufacturer = "somebody"
    with pytest.raises(Exception, match="no result on pneumonia"):
        read_result(encode(other))


def test_a_film_that_is_called_normal_has_none(tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film())
    run(RunRequest((tmp_path / "film.dcm",), tmp_path / "run", ScanSettings(), 1), write_outputs)
    render(tmp_path / "run", write_outputs, threshold="0.999999")
    tally = write_results(tmp_path / "run", tmp_path / "results", Wanted(capture=False))
    assert (tally.n_reports, tally.n_region_reports) == (1, 0)
    assert tally.sentence.startswith("1 structured report, 0 reports of regions and 0 secondary captures written")
