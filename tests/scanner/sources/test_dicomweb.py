"""Films in a PACS: Orthanc on the loopback address, and servers that answer as they should not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom import uid

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.records import ScanResult, Skip
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.runs.journal import Journal
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources import remote
from cxrscan.scanner.sources.dicomweb import WebArchive, web_session
from cxrscan.scanner.sources.filters import Filter, Shard
from cxrscan.scanner.sources.walk import find_images
from tests import orthanc
from tests.faults.harness import wait_for
from tests.scanner.dicom_results.objects import film

PROGRAM = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()", "run"]
STUDY = "1.2.826.0.1.3680043.10.1"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_WAITS_S", (0.01, 0.01, 0.01, 0.01))


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    """Three studies: two films of January, one CR of February, one CT of January."""
    january, february = {"StudyDate": "20260115"}, {"StudyDate": "20260215"}
    cr = {"SOPClassUID": uid.ComputedRadiographyImageStorage, "Modality": "CR"}
    ct = {"SOPClassUID": uid.CTImageStorage, "Modality": "CT", "SeriesInstanceUID": f"{STUDY}.1.3"}
    return {
        f"{STUDY}.1/{STUDY}.1.2/{STUDY}.1.2.1.dcm": film(1, study=1, **january),
        f"{STUDY}.1/{STUDY}.1.2/{STUDY}.1.2.2.dcm": film(2, study=1, **january),
        f"{STUDY}.2/{STUDY}.2.2/{STUDY}.2.2.1.dcm": film(1, study=2, **february, **cr),
        f"{STUDY}.1/{STUDY}.1.3/{STUDY}.1.2.9.dcm": film(9, study=1, **january, **ct),
    }


@pytest.fixture(scope="module")
def pacs(films: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[orthanc.Orthanc]:
    with orthanc.running(tmp_path_factory.mktemp("pacs")) as server:
        for data in films.values():
            server.put(data)
        yield server


def names(address: str, **how: Any) -> set[str]:
    return {source.name for source in find_images([WebArchive.parse(address)], **how)}


def test_films_of_projection_radiography_are_found_and_read_as_they_are_stored(
    pacs: orthanc.Orthanc, films: dict[str, bytes]
) -> None:
    found = {source.name: source.path.read_bytes() for source in find_images([WebArchive.parse(f"{pacs.web}/studies")])}
    assert found == {name: data for name, data in films.items() if not name.endswith("9.dcm")}


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("studies?StudyDate=20260101-20260131", {"1.2.1", "1.2.2"}),
        ("studies?StudyDate=20260201-", {"2.2.1"}),
        ("studies?StudyDate=-20260201&Modality=CR,DX,CT", {"1.2.1", "1.2.2", "1.2.9"}),
        ("studies?ModalitiesInStudy=CR", {"2.2.1"}),
        (f"studies/{STUDY}.2", {"2.2.1"}),
        (f"studies?StudyInstanceUID={STUDY}.1", {"1.2.1", "1.2.2"}),
        (f"studies/{STUDY}.1/series/{STUDY}.1.3", {"1.2.9"}),
        (f"studies/{STUDY}.77", set()),
    ],
)
def test_an_address_chooses_by_date_modality_study_and_series(
    pacs: orthanc.Orthanc, query: str, numbers: set[str]
) -> None:
    found = names(f"{pacs.web}/{query}")
    assert {name.rpartition("/")[2] for name in found} == {f"{STUDY}.{number}.dcm" for number in numbers}


def test_both_ways_to_write_an_address_mean_the_same(pacs: orthanc.Orthanc) -> None:
    short = WebArchive.parse(f"dicomweb://127.0.0.1:{pacs.http_port}/dicom-web?StudyDate=20260115")
    assert str(short) == f"{pacs.web}/studies?StudyDate=20260115"
    assert WebArchive.parse(str(short)) == short


def test_addresses_are_told_from_those_of_listings_and_files() -> None:
    for address in ("dicomweb://pacs/x", "https://pacs/dicom-web/studies", f"https://pacs/studies/{STUDY}/series/1.2"):
        assert WebArchive.is_address(address)
    for address in ("https://server/films/", "https://server/studies/", "https://server/film.png", "s3://b/studies"):
        assert not WebArchive.is_address(address)


def test_addresses_are_encrypted_but_on_this_machine_and_show_no_secret() -> None:
    archive = WebArchive.parse("dicomweb://me:secret@pacs.example/dicom-web?Modality=DX&StudyDate=20260101-")
    assert archive.url == "https://pacs.example/dicom-web"
    assert archive.login == ("me", "secret")
    assert str(archive) == "https://pacs.example/dicom-web/studies?StudyDate=20260101-&Modality=DX"
    assert "secret" not in repr(archive)
    assert WebArchive.parse("dicomweb://localhost:8042/dicom-web").url == "http://localhost:8042/dicom-web"


@pytest.mark.parametrize(
    "wrong", ["?PatientID=MEIER-7", "?StudyDate=yesterday", "?Modality=dx", "/studies/..", "?StudyInstanceUID=MEIER"]
)
def test_what_cannot_be_asked_for_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(CxrscanError) as caught:
        WebArchive.parse(f"dicomweb://pacs{wrong}")
    assert caught.value.code == "place-unreadable"
    assert "MEIER" not in caught.value.message


def test_filters_and_shards_hold(pacs: orthanc.Orthanc) -> None:
    address = f"{pacs.web}/studies"
    assert names(address, keep=Filter(exclude=("*.1.dcm",))) == {f"{STUDY}.1/{STUDY}.1.2/{STUDY}.1.2.2.dcm"}
    parts = [names(address, keep=Filter(shard=Shard(number, 2))) for number in (1, 2)]
    assert parts[0] | parts[1] == names(address)
    assert not parts[0] & parts[1]


def test_a_run_gives_what_it_gives_for_the_same_films_on_disk(
    pacs: orthanc.Orthanc, films: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in films.items():
        if not name.endswith("9.dcm"):
            (tmp_path / "films" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "films" / name).write_bytes(data)
    places = {"here": tmp_path / "films", "there": WebArchive.parse(f"{pacs.web}/studies")}
    rows = {}
    for where, place in places.items():
        run(RunRequest((place,), tmp_path / where, ScanSettings(), 1), write_outputs)
        with Journal(tmp_path / where, read_only=True) as journal:
            rows[where] = {
                film.result.name: (film.result.prob_pneumonia, film.result.sha256, film.result.gate_reasons)
                for film in journal.films()
            }
    assert rows["here"] == rows["there"]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    with orthanc.running(tmp_path) as pacs:
        for number in range(150):
            pacs.put(film(1, study=number))
        command = [*PROGRAM, f"{pacs.web}/studies", "-o", str(tmp_path / "run"), "--batch-size", "2", "--workers", "1"]
        first = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(tmp_path / "run/journal.sqlite-wal", size_bytes=600_000)  # some films are recorded
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        assert 0 < n_journalled(tmp_path / "run") < 150
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["n_scored"] == 150
        told: list[ScanResult | Skip | None] = []
        request = RunRequest((WebArchive.parse(f"{pacs.web}/studies"),), tmp_path / "run", ScanSettings(), 1)
        run(replace(request, settings=ScanSettings(batch_size=2)), write_outputs, on_file=told.append)
        assert told == [None] * 150  # nothing is scanned again


def n_journalled(folder: Path) -> int:
    """Films in the journal of a run that was killed."""
    with Journal(folder) as journal:
        return len(list(journal.names()))


Answer = Callable[[str, dict[str, str]], tuple[int, str, bytes]]


@contextmanager
def server(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A DICOMweb server that answers a path and its query as told."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, content_type, body = answer(parts.path, query)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/dicom-web", asked
        listening.shutdown()
    web_session.cache_clear()


def matches(**uids: str) -> dict[str, Any]:
    tags = {"study": "0020000D", "series": "0020000E", "sop": "00080018"}
    return {tags[name]: {"vr": "UI", "Value": [value]} for name, value in uids.items()}


def qido(found: list[dict[str, Any]]) -> tuple[int, str, bytes]:
    return 200, "application/dicom+json", json.dumps(found).encode()


def archive(n_objects: int, page: Callable[[list[Any], int, int], list[Any]]) -> Answer:
    """One series of many objects, cut into pages as told."""

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if path.endswith("/instances"):
            every = [matches(sop=f"1.2.3.{number}") for number in range(1, n_objects + 1)]
            return qido(page(every, int(query.get("offset", 0)), int(query["limit"])))
        return qido([matches(study="1.2", series="1.2.3")] if query["Modality"] == "DX" else [])

    return answer


PAGES: dict[str, Callable[[list[Any], int, int], list[Any]]] = {
    "as asked for": lambda every, offset, limit: every[offset : offset + limit],
    "cut short": lambda every, offset, limit: every[offset : offset + 100],
    "all at once, whatever is asked for": lambda every, offset, limit: every,
    "overlapping": lambda every, offset, limit: every[max(0, offset - 7) : offset + limit],
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_film_is_found_once_however_a_server_pages(page: Callable[[list[Any], int, int], list[Any]]) -> None:
    with server(archive(1_234, page)) as (url, asked):
        found = [source.name for source in find_images([WebArchive.parse(f"{url}/studies")])]
    assert sorted(found) == sorted(f"1.2/1.2.3/1.2.3.{number}.dcm" for number in range(1, 1_235))
    assert len(asked) < 20


def test_names_that_are_no_uids_never_become_addresses_or_files() -> None:
    def answer(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if path.endswith("/instances"):
            return qido([matches(sop="../../etc/passwd"), matches(sop="1.2.3.4"), {}])
        found = [matches(study="1.2", series="1.2.3"), matches(study="..", series="/"), {"0020000E": None or {}}]
        return qido(found if query["Modality"] == "DX" else [])

    told: list[Skip] = []
    with server(answer) as (url, asked):
        found = names(f"{url}/studies", on_skip=told.append)
    assert found == {"1.2/1.2.3/1.2.3.4.dcm"}
    assert {skip.reason for skip in told} == {"no valid identifiers"}
    assert not [path for path in asked if "passwd" in path]


@pytest.mark.parametrize(("status", "said"), [(401, "Permission denied"), (404, "No such file"), (500, "status 500")])
def test_a_server_that_answers_no_search_ends_the_run(status: int, said: str, tmp_path: Path) -> None:
    with server(lambda path, query: (status, "text/plain", b"")) as (url, _), pytest.raises(CxrscanError) as caught:
        run(RunRequest((WebArchive.parse(f"{url}/studies"),), tmp_path / "run", ScanSettings(), 1), write_outputs)
    assert caught.value.code == "place-unreadable"
    assert said in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        *(b"[1,2]", b"[[]]", b'"text"', b'[{"0020000D":5}]', b'[{"0020000D":[]}]', b'[{"0020000D":{"Value":5}}]'),
        *(b'[{"0020000D":{"Value":[{"x":1}]}}]', b'{"errorCode":1}'),
    ],
)
def test_a_search_that_is_answered_with_anything_finds_nothing(body: bytes) -> None:
    told: list[Skip] = []
    with server(lambda path, query: (200, "application/dicom+json", body)) as (url, _):
        assert not names(f"{url}/studies", on_skip=told.append)
    assert {skip.reason for skip in told} == {"no valid identifiers"}


@pytest.mark.parametrize("body", [b"no json", b"null", b"5", b"\xff\xfe", b"[" * 100_000])
def test_a_search_whose_answer_is_no_list_is_told_in_words(body: bytes) -> None:
    with (
        server(lambda path, query: (200, "application/dicom+json", body)) as (url, _),
        pytest.raises(CxrscanError, match="no list in DICOM JSON") as caught,
    ):
        names(f"{url}/studies")
    assert caught.value.code == "place-unreadable"


@pytest.mark.parametrize(
    "address", ["dicomweb://[x", "dicomweb://", "https://h:99999/studies", "https://h:x/studies", "http://a b/studies"]
)
def test_an_address_of_no_server_is_told(address: str) -> None:
    assert WebArchive.is_address(address)
    with pytest.raises(CxrscanError, match="no address of a server"):
        WebArchive.parse(address)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CxrscanError) as caught:
        names(f"http://127.0.0.1:{orthanc.free_port()}/studies")
    assert caught.value.code == "place-unreadable"


def instance(body: Callable[[int], tuple[int, str, bytes]]) -> tuple[Answer, list[int]]:
    """A server of one object, whose n-th reading is answered as told."""
    n_read: list[int] = []

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if "/instances/" in path:
            n_read.append(len(n_read))
            return body(len(n_read))
        return archive(1, PAGES["as asked for"])(path, query)

    return answer, n_read


def multipart(data: bytes, end: bytes = b"\r\n--b--\r\n") -> bytes:
    return b"--b\r\nContent-Type: application/dicom\r\n\r\n" + data + end


def read_one(body: Callable[[int], tuple[int, str, bytes]]) -> tuple[bytes, int]:
    answer, n_read = instance(body)
    with server(answer) as (url, _):
        (source,) = find_images([WebArchive.parse(f"{url}/studies")])
        return source.path.read_bytes(), len(n_read)


def test_an_object_is_taken_out_of_its_message_to_the_byte() -> None:
    data = b"DICM\r\n--a\r\n\r\n--\x00" * 50
    assert read_one(lambda n: (200, 'multipart/related; type="application/dicom"; boundary=b', multipart(data))) == (
        data,
        1,
    )
    assert read_one(lambda n: (200, 'multipart/related; boundary="b"', b"\r\n" + multipart(data))) == (data, 1)
    assert read_one(lambda n: (200, "application/dicom", data)) == (data, 1)


def test_reading_is_tried_again_where_that_may_help() -> None:
    whole = (200, "multipart/related; boundary=b", multipart(b"DICM"))
    broken = (200, "multipart/related; boundary=b", multipart(b"DI", end=b""))
    assert read_one(lambda n: whole if n == 3 else broken) == (b"DICM", 3)
    assert read_one(lambda n: whole if n == 2 else (503, "text/plain", b"")) == (b"DICM", 2)


def test_a_film_that_stays_away_is_a_row(tmp_path: Path) -> None:
    answer, n_read = instance(lambda n: (404, "text/plain", b""))
    with server(answer) as (url, _):
        tally = run(
            RunRequest((WebArchive.parse(f"{url}/studies"),), tmp_path / "run", ScanSettings(), 1), write_outputs
        )
    assert (tally.counts.n_failed, tally.exit_code, len(n_read)) == (1, 3, 1)


def test_login_and_token_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    web_session.cache_clear()
    monkeypatch.setenv("CXRSCAN_DICOMWEB_TOKEN", "a-token")
    assert web_session(None).headers["Authorization"] == "Bearer a-token"
    assert web_session(("me", "secret")).auth == ("me", "secret")
    assert "Authorization" not in web_session(("me", "secret")).headers
    web_session.cache_clear()


def test_without_its_client_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['dicomweb_client'] = None; from cxrscan.scanner.cli.main import main; main()"
    command = [sys.executable, "-c", code, "run", "dicomweb://127.0.0.1:9/x", "-o", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[extra-missing]" in done.stderr
