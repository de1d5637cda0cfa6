"""Files, lists and answers that swell are bounded before they take memory."""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import os
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cxrscan.scanner.errors import CxrscanError, LabelError, RunFolderError, WorkerError
from cxrscan.scanner.evaluation import label_file
from cxrscan.scanner.evaluation.label_file import LabelColumns, read_label_rows
from cxrscan.scanner.evaluation.labels import load_labels
from cxrscan.scanner.executors.dask import JobQueue
from cxrscan.scanner.records import ImageSource, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources import remote
from cxrscan.scanner.sources.dicomweb import InstancePath, WebArchive
from cxrscan.scanner.sources.remote import RemotePath, read_ahead
from cxrscan.scanner.sources.walk import FileList, find_images
from cxrscan.scanner.system.bounded import read_bounded
from cxrscan.scanner.viewer.verdicts import read_verdicts
from cxrscan.scanner.worker import scan_chunk
from tests.builders import encode, film_pixels

FILM = encode(film_pixels(1, height=210, width=210), "PNG")
MIB = 1 << 20
STUDY = "1.2.3"


class Odd(http.server.BaseHTTPRequestHandler):
    """A server that means harm, or is merely odd."""

    elsewhere = ""
    sent = 0

    def do_GET(self) -> None:
        body, encoding, status = FILM, "", 200
        if self.path.startswith("/loop/") and self.path.endswith("/"):
            body = b'<a href="film.png">x</a><a href="again/">x</a>'
        elif self.path == "/listing/":
            body = b'<a href="/listing/film.png?token=1">x</a>\n' * 2_000_000
        elif self.path.startswith(f"/odd/studies/{STUDY}/series?"):
            body, encoding = gzip.compress(b" " * (64 * MIB)), "gzip"
        elif self.path.startswith(f"/odd/studies/{STUDY}1/series?"):
            status = 302
        elif self.path == "/redirect/":
            body = b'<a href="/redirect/there.png">x</a><a href="/redirect/here.png">x</a>'
        elif self.path.endswith(("there.png", "here.png")):
            status = 302
        elif self.path.endswith("packed.png"):
            body, encoding = gzip.compress(bytes(64 * MIB)), "gzip"
        elif self.path.endswith("gzipped.png"):
            body, encoding = gzip.compress(FILM), "gzip"
        self.send_response(status)
        if status == 302:
            self.send_header(
                "Location", "/film.png" if "here.png" in self.path[-9:] and "t" not in self.path[-9:] else Odd.elsewhere
            )
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "image/png")
        if encoding:
            self.send_header("Content-Encoding", encoding)
        if self.path.endswith("endless.png"):
            self.end_headers()
            self.pour()
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def pour(self) -> None:
        """Send for ever, until the other side has had enough."""
        try:
            while True:
                self.wfile.write(bytes(MIB))
                Odd.sent += MIB
        except OSError:
            pass

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A server that must not be asked."""

    asked = 0

    def do_GET(self) -> None:
        Elsewhere.asked += 1
        self.send_response(200)
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of the odd server, whose redirections lead to another."""
    monkeypatch.setattr(remote, "_WAITS_S", ())
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Odd, Elsewhere)]
    Odd.sent, Elsewhere.asked = 0, 0
    Odd.elsewhere = f"http://127.0.0.1:{servers[1].server_port}/latest/meta-data"
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{servers[0].server_port}"
    for one in servers:
        one.shutdown()
        one.server_close()


def test_an_answer_without_end_is_left_early(server: str) -> None:
    with pytest.raises(OSError, match="large"):
        RemotePath(f"{server}/endless.png").read_bytes(4 * MIB)
    assert Odd.sent < 200 * MIB  # what the sockets and the client hold is not all read
    assert RemotePath(f"{server}/").read_heads([RemotePath(f"{server}/", f"{server}/endless.png")])[0] == bytes(132)


def test_a_packed_answer_is_unpacked_no_further_than_a_film_may_reach(server: str) -> None:
    with pytest.raises(OSError, match="large"):
        RemotePath(f"{server}/packed.png").read_bytes(4 * MIB)
    assert RemotePath(f"{server}/gzipped.png").read_bytes() == FILM


def test_a_film_that_is_too_large_costs_one_row(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MAX_AHEAD_BYTES", len(FILM) - 1)  # so that films are read when their turn comes
    monkeypatch.setattr(RemotePath.read_bytes, "__defaults__", (4 * MIB,))
    names = ["a.png", "endless.png", "b.png", "packed.png", "c.png"]
    sources = [ImageSource(RemotePath(f"{server}/{name}"), name, None) for name in names]
    results = scan_chunk(sources, ScanSettings(gate="off"))
    codes = [result.failure.code if result.failure else "" for result in results if not isinstance(result, Skip)]
    assert codes == ["", "too-large", "", "too-large", ""]


def test_films_read_ahead_are_bounded_together(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MAX_AHEAD_BYTES", len(FILM) - 1)
    sources = [ImageSource(RemotePath(f"{server}/{i}.png"), f"{i}.png", None) for i in range(20)]
    assert [source.path.read_bytes() for source in read_ahead(sources)] == [FILM] * 20


def test_a_listing_without_end_is_refused_and_one_that_leads_to_itself_ends(server: str) -> None:
    with pytest.raises(RunFolderError) as caught:
        list(find_images([RemotePath(f"{server}/listing/")]))
    assert caught.value.code == "place-unreadable"
    skipped: list[Skip] = []
    films = list(find_images([RemotePath(f"{server}/loop/")], on_skip=skipped.append))
    assert 10 < len(films) < 100
    assert "more folders" in skipped[-1].reason


def test_redirections_lead_to_the_same_server_only(server: str) -> None:
    found = {source.path.name: source for source in find_images([RemotePath(f"{server}/redirect/")])}  # type: ignore[attr-defined]
    assert found["here.png"].path.read_bytes() == FILM
    with pytest.raises(OSError, match="denied"):
        found["there.png"].path.read_bytes()
    assert Elsewhere.asked == 0


@pytest.mark.parametrize("study", [STUDY, f"{STUDY}1"], ids=["a packed answer that swells", "a redirection"])
def test_a_pacs_is_read_no_further_than_a_search_may_reach_and_leads_nowhere_else(server: str, study: str) -> None:
    with pytest.raises(RunFolderError) as caught:
        list(find_images([WebArchive.parse(f"{server}/odd/studies/{study}")]))
    assert caught.value.code == "place-unreadable"
    assert ("large" if study == STUDY else "denied") in caught.value.message
    assert Elsewhere.asked == 0


def test_large_films_of_a_pacs_do_not_wait_in_memory(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MAX_AHEAD_BYTES", len(FILM) - 1)
    monkeypatch.setattr(InstancePath.read_bytes, "__defaults__", (4 * MIB,))
    archive = WebArchive.parse(f"{server}/odd/studies")
    names = ["1.2", "endless.png", "1.4"]
    sources = [ImageSource(InstancePath(archive, STUDY, "1", name), name, "dicom") for name in names]
    films = list(read_ahead(sources))
    assert films[0].path.read_bytes() == FILM
    with pytest.raises(OSError, match="large"):
        films[1].path.read_bytes()
    assert films[2].path.read_bytes() == FILM
    assert Odd.sent < 200 * MIB


def test_an_entry_of_an_archive_is_read_no_further_than_a_film_may_reach(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(64 * MIB))
        archive.writestr("film.png", FILM)
    url = f"zip://{tmp_path}/films.zip"
    assert RemotePath(url, "film.png").read_bytes() == FILM
    with pytest.raises(OSError, match="large"):
        RemotePath(url, "bomb.png").read_bytes(4 * MIB)


@pytest.mark.parametrize("place", ["/dev/zero", "long"])
def test_a_list_with_a_line_without_end_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "long").write_text("a.png\n" + "b" * 50_000)
    with pytest.raises(RunFolderError) as caught:
        list(FileList(place if place.startswith("/") else str(tmp_path / place)).lines())
    assert caught.value.code == "place-unreadable"


LABELS: dict[str, str] = {
    "deep": "path,label\n" + "a/" * 60_000 + "f.png,NORMAL\n",
    "many cells": "path,label,"
    + ",".join(f"c{i}" for i in range(900))
    + "\n"
    + "".join(f"{i},0\n" for i in range(200)),
    "many folders": "path,label\n" + "".join(f"{'d/' * 1000}{i}.png,0\n" for i in range(120)),
    "one cell": 'path,label\n"' + "x\n" * 300_000,
    "large": "path,label\n" + "a.png,NORMAL\n" * 100_000,
}


@pytest.mark.parametrize("case", LABELS)
def test_label_files_that_swell_are_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_file, "_MAX_PARTS", 100_000)
    monkeypatch.setattr(label_file, "_MAX_BYTES", MIB)
    (tmp_path / "labels.csv").write_text(LABELS[case])
    with pytest.raises(LabelError) as caught:
        read_label_rows(tmp_path / "labels.csv", LabelColumns())
    assert caught.value.code == "labels-unreadable"
    assert len(caught.value.message) < 300


def test_long_paths_of_a_label_file_find_their_films_by_their_ends(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "path,label\n" + "".join(f"{'d/' * 1000}{i}.png,{i % 2}\n" for i in range(500))
    )
    joined = load_labels(tmp_path / "labels.csv").join([f"{i}.png" for i in range(500)])
    assert len(joined.truth) == 500


def fifo(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def device(path: Path) -> None:
    """A device without end."""
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [fifo, device])
def test_pipes_and_devices_are_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "file")
    with pytest.raises(OSError, match="regular"):
        read_bounded(tmp_path / "file", MIB)
    with pytest.raises(LabelError):
        read_label_rows(tmp_path / "file", LabelColumns())
    with pytest.raises(WorkerError), JobQueue(tmp_path / "file").connect():
        pass
    with pytest.raises(RunFolderError):
        read_verdicts(tmp_path / "file", [])


def test_verdicts_that_swell_are_refused(tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_text(
        "path,verdict," + ",".join(f"c{i}" for i in range(10_000)) + "\n" + "x\n" * 100
    )
    with pytest.raises(CxrscanError) as caught:
        read_verdicts(tmp_path / "verdicts.csv", [])
    assert caught.value.code == "verdicts-unreadable"


def test_a_cluster_file_that_swells_is_refused(tmp_path: Path) -> None:
    laughs = "a: &a [lol, lol, lol, lol]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    for text in (
        f"{laughs}cluster: slurm\njobs: 1\n",
        "a" * 100_000,
        "!!python/object/apply:os.system ['true']",
        "[" * 9_000,
    ):
        (tmp_path / "cluster.yaml").write_text(text)
        with pytest.raises(WorkerError) as caught, JobQueue(tmp_path / "cluster.yaml").connect():
            pass
        assert caught.value.code == "cluster-invalid"


def checkpoint(**arrays: bytes) -> zipfile.ZipFile:
    """An archive as NumPy writes it, of any content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return zipfile.ZipFile(out)


def npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def claim(text: bytes) -> bytes:
    """The head of an array file, without the array."""
    head = text.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def test_arrays_of_a_checkpoint_are_held_against_what_is_expected_first() -> None:
    pytest.importorskip("tensorflow")
    from cxrscan.training.fit import _read_array

    read = functools.partial(_read_array, expected=((2, 3), "float32"))
    good = np.ones((2, 3), np.float32)
    assert np.array_equal(read(checkpoint(a=npy(good)), "a"), good)
    for content in (
        claim(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 3), }"),
        claim(b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }"),
        npy(good.astype(np.float64)),
        npy(good)[:-1],
        b"",
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            read(checkpoint(a=content), "a")
