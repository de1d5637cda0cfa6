"""One chunk: every file gets its record, whatever it contains."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxrscan.scanner.records import ImageSource, ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from tests.builders import encode, film_pixels, write_film


def scan(folder: Path, **settings: object) -> list[ScanResult]:
    outcomes = scan_chunk(list(find_images([folder])), ScanSettings(**settings))  # type: ignore[arg-type]
    assert all(isinstance(outcome, ScanResult) for outcome in outcomes)
    return outcomes  # type: ignore[return-value]


def test_a_film_gets_probability_heat_map_thumbnail_and_hash(tmp_path: Path) -> None:
    write_film(tmp_path / "film.jpg", height=480, width=640)
    (result,) = scan(tmp_path)
    assert result.status == "scored"
    assert result.prob_pneumonia is not None
    assert 0.0 <= result.prob_pneumonia <= 1.0
    assert result.heat_map is not None
    assert result.heat_map.side == 7
    assert np.frombuffer(result.heat_map.values, "<f2").min() >= 0.0
    assert result.thumbnail.startswith(b"\xff\xd8")
    assert (result.width_px, result.height_px, len(result.sha256)) == (640, 480, 64)
    assert result.duration_ms > 0


def test_bad_files_fail_with_their_code_and_spare_their_neighbours(tmp_path: Path) -> None:
    write_film(tmp_path / "a.png", height=300, width=300)
    (tmp_path / "b.jpg").touch()
    (tmp_path / "c.jpg").write_text("Dear colleague")
    (tmp_path / "d.jpg").write_bytes(encode(film_pixels(), "JPEG")[:900])
    (tmp_path / "e.dcm").touch()
    (tmp_path / "e.dcm.gz").write_bytes(gzip.compress(b"any film"))
    (tmp_path / "f.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "g.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 50)
    write_film(tmp_path / "h.png", seed=1, height=300, width=300)
    results = scan(tmp_path)
    assert [result.failure and result.failure.code for result in results] == [
        None,
        "empty-file",
        "not-an-image",
        "truncated",
        "empty-file",
        "gzipped",
        "unreadable",
        "bad-dicom",
        None,
    ]
    assert [result.name for result in results if result.status == "scored"] == ["a.png", "h.png"]


def test_a_film_scores_the_same_alone_and_in_company(tmp_path: Path) -> None:
    for seed in range(5):
        write_film(tmp_path / f"{seed}.png", seed, height=240, width=260)
    together = scan(tmp_path)
    alone = [scan_chunk([source], ScanSettings())[0] for source in find_images([tmp_path])]
    assert [result.prob_pneumonia for result in together] == pytest.approx(
        [result.prob_pneumonia for result in alone],  # type: ignore[union-attr]
        abs=1e-5,
    )


def test_what_the_gate_rejects_has_no_probability(tmp_path: Path) -> None:
    colours = np.zeros((300, 300, 3), dtype=np.uint8)
    colours[:150, :, 0] = 255
    colours[150:, :, 2] = 255
    (tmp_path / "drawing.png").write_bytes(encode(colours, "PNG"))
    (tmp_path / "blank.png").write_bytes(encode(np.full((300, 300), 77, np.uint8), "PNG"))
    blank, drawing = scan(tmp_path)
    assert (blank.status, blank.gate_reasons, blank.prob_pneumonia) == ("rejected", ("blank",), None)
    assert (drawing.status, drawing.gate_reasons, drawing.heat_map) == ("rejected", ("colour-picture",), None)
    assert drawing.thumbnail
    assert {result.status for result in scan(tmp_path, gate="off")} == {"scored"}


def test_a_file_that_vanishes_is_a_record(tmp_path: Path) -> None:
    (result,) = scan_chunk([ImageSource(tmp_path / "gone.jpg", "gone.jpg", "jpeg", 5, 5)], ScanSettings())
    assert isinstance(result, ScanResult)
    assert result.failure is not None
    assert result.failure.code == "unreadable"
    assert str(tmp_path) not in result.failure.message


def swap_for_link(film: Path, secret: Path) -> None:
    film.unlink()
    film.symlink_to(secret)


def swap_for_hard_link(film: Path, secret: Path) -> None:
    status = film.stat()
    film.unlink()
    os.truncate(secret, status.st_size)
    os.utime(secret, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.link(secret, film)


def swap_for_pipe(film: Path, secret: Path) -> None:
    film.unlink()
    os.mkfifo(film)


def swap_folder(film: Path, secret: Path) -> None:
    film.parent.rename(film.parent.with_name("old"))
    film.parent.symlink_to(secret.parent)


@pytest.mark.parametrize("swap", [swap_for_link, swap_for_hard_link, swap_for_pipe, swap_folder])
@pytest.mark.parametrize("at_s", [0, 1, 10**9])
@pytest.mark.parametrize("follow_links", [False, True])
def test_a_film_swapped_after_the_walk_is_not_read(
    tmp_path: Path, swap: Callable[[Path, Path], None], at_s: int, *, follow_links: bool
) -> None:
    film = write_film(tmp_path / "films/ward/film.png")
    secret = tmp_path / "secret/film.png"
    secret.parent.mkdir()
    secret.write_bytes(film.read_bytes() + b"secret")
    os.utime(film, (at_s, at_s))
    (source,) = find_images([tmp_path / "films"], follow_links=follow_links)
    swap(film, secret)
    (result,) = scan_chunk([source], ScanSettings())
    assert isinstance(result, ScanResult)
    assert result.failure is not None
    assert result.failure.code == "changed"
    assert (result.sha256, result.thumbnail) == ("", b"")
