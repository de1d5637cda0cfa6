"""Sending results: to Orthanc, to DCMTK, and to destinations that refuse, hang, drop and lack."""

from __future__ import annotations

import io
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from pydicom import dcmread, uid
from pynetdicom import AE, evt

from cxrscan.scanner.cli.main import cxrscan
from cxrscan.scanner.dicom_results.capture import make_capture
from cxrscan.scanner.dicom_results.destinations import parse_entity, tls_context
from cxrscan.scanner.dicom_results.film_header import read_film_header
from cxrscan.scanner.dicom_results.folder import prepare_folder, write_object
from cxrscan.scanner.dicom_results.modules import encode
from cxrscan.scanner.dicom_results.outgoing import Delivery, Destination, find_outgoing, send
from cxrscan.scanner.dicom_results.report import make_report
from cxrscan.scanner.dicom_results.storing import StorageEntity
from cxrscan.scanner.dicom_results.stow import WebStore
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.readers.dicom import quiet_pydicom
from tests import orthanc
from tests.certificates import write_certificates
from tests.scanner.dicom_results.objects import FILM, answer, film
from tests.scanner.dicom_results.validators import program_or_skip

SR, SC = uid.Comprehensive3DSRStorage, uid.SecondaryCaptureImageStorage
pytestmark = pytest.mark.filterwarnings(  # pynetdicom leaves the socket of a failed connection to the collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
PIXELS = FILM.astype("float32") / 255


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports and captures of three films, and a film that lies among them."""
    folder = tmp_path_factory.mktemp("results") / "results"
    prepare_folder(folder)
    for number in (1, 2, 3):
        header = read_film_header(film(number, study=number))
        for made in (make_report(header, answer()), make_capture(header, answer(), PIXELS)):
            path = folder / made.StudyInstanceUID / made.SeriesInstanceUID / f"{made.SOPInstanceUID}.dcm"
            write_object(path, encode(made))
    (folder / "film.dcm").write_bytes(film(9))
    (folder / "notes.txt").write_text("not DICOM")
    return folder


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[orthanc.Orthanc]:
    with orthanc.running(tmp_path_factory.mktemp("pacs")) as server:
        yield server


def command(*arguments: object) -> Any:
    return CliRunner().invoke(cxrscan, ["send", *map(str, arguments)], standalone_mode=False)


def contents(objects: list[bytes]) -> dict[str, Any]:
    return {str(one.SOPInstanceUID): one for one in (dcmread(io.BytesIO(data)) for data in objects)}


def deliver(results: Path, destination: Destination, **how: Any) -> list[Delivery]:
    """What is told of each object, after retries without long waits."""
    told: list[Delivery] = []
    objects, _ = find_outgoing(results)
    n_sent, n_failed = send(objects, destination, first_wait_s=0.01, on_done=told.append, **how)
    assert n_sent + n_failed == len(told) == len(objects) == 6
    return told


def test_c_store_and_stow_bring_every_result_unchanged(results: Path, pacs: orthanc.Orthanc) -> None:
    for destination in (("--to", pacs.entity), ("--stow", pacs.web)):
        done = command(results, *destination)
        assert done.return_value == 0, done.stderr
        assert "6 objects sent, 1 left out, being no results of cxrscan." in done.stderr
        stored = contents(pacs.objects())
        assert stored == contents([path.read_bytes() for path in results.rglob("2.25*.dcm")])
        assert all(f"sent  {one.Modality} {name}" in done.stderr for name, one in stored.items())
        for identifier in pacs.get("/patients"):
            requests.delete(f"{pacs.url}/patients/{identifier}", timeout=30)


def test_other_objects_are_sent_only_when_asked_for(results: Path, pacs: orthanc.Orthanc) -> None:
    assert command(results, "--to", pacs.entity, "--all-objects").return_value == 0
    assert pacs.n_objects == 7


def test_a_dry_run_lists_and_connects_to_nobody(results: Path) -> None:
    done = command(results, "--to", f"PACS@127.0.0.1:{orthanc.free_port()}", "--dry-run")
    assert done.return_value == 0
    assert done.stdout.count("would send") == 6
    assert "nothing was sent" in done.stderr


@pytest.mark.parametrize("options", [(), ("--to", "A@h:1", "--stow", "https://h/"), ("--to", "A@h:1", "--tls-ca", "f")])
def test_a_destination_is_given_once_and_whole(results: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    done = CliRunner().invoke(
        cxrscan, ["send", str(results), *(str(tmp_path / "f") if word == "f" else word for word in options)]
    )
    assert done.exit_code == 2


def test_addresses_of_entities() -> None:
    assert parse_entity("PACS@10.0.0.5:104") == ("PACS", "10.0.0.5", 104)
    assert parse_entity("MY PACS@[::1]:11112") == ("MY PACS", "::1", 11112)
    for wrong in ("PACS", "PACS@host", "@host:1", "PACS@host:0", "PACS@host:66000", "A" * 17 + "@h:1", "A\\B@h:1"):
        with pytest.raises(ValueError, match=r".*"):
            parse_entity(wrong)


def test_dcmtk_takes_the_results(results: Path, tmp_path: Path) -> None:
    port = orthanc.free_port()
    receiver = subprocess.Popen([program_or_skip("storescp"), "-od", tmp_path, "-aet", "DCMTK", str(port)])
    try:
        orthanc.wait_for_port(port)
        assert {delivery.problem for delivery in deliver(results, StorageEntity("DCMTK", "127.0.0.1", port))} == {""}
    finally:
        receiver.terminate()
        receiver.wait(30)
    assert contents([path.read_bytes() for path in tmp_path.iterdir()]).keys() == {
        path.stem for path in results.rglob("2.25*.dcm")
    }


@contextmanager
def entity(
    on_store: Callable[[Any], int] = lambda event: 0, *, takes: tuple[str, ...] = (SR, SC), **how: Any
) -> Iterator[StorageEntity]:
    """An application entity that answers as told."""
    server = AE("PICKY")
    server.require_called_aet = True
    syntax = how.pop("syntax", None)
    for sop_class in takes:
        server.add_supported_context(sop_class, syntax)
    tls, how["tls"] = how.pop("server_tls", None), how.pop("client_tls", None)
    listening = server.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)], ssl_context=tls
    )
    try:
        yield StorageEntity(
            how.pop("title", "PICKY"), "127.0.0.1", listening.server_address[1], **{"timeout_s": 20.0, **how}
        )
    finally:
        listening.shutdown()


def test_an_entity_that_refuses_is_not_asked_again(results: Path) -> None:
    with entity(title="SOMEONE") as destination:
        problems = {delivery.problem for delivery in deliver(results, destination)}
    assert problems == {f"{destination} refuses the association: called ae title not recognised"}


def test_an_entity_that_is_out_of_resources_is_tried_again(results: Path) -> None:
    n_asked = [0]

    def full_at_first(event: Any) -> int:
        n_asked[0] += 1
        return 0xA700 if n_asked[0] <= 4 else 0

    with entity(full_at_first) as destination:
        assert {delivery.problem for delivery in deliver(results, destination)} == {""}
    assert n_asked[0] == 10


def test_an_object_that_is_not_understood_is_told_and_the_others_are_sent(results: Path) -> None:
    with entity(lambda event: 0xC001 if event.request.AffectedSOPClassUID == SC else 0) as destination:
        told = deliver(results, destination)
    assert {(delivery.outgoing.modality, delivery.problem) for delivery in told} == {
        ("SR", ""),
        ("OT", "refused with status C001 (cannot understand the object)"),
    }


def test_identifiers_that_break_rules_are_sent_and_quoted_nowhere(tmp_path: Path) -> None:
    """pydicom's warnings repeat the value; here any warning is an error."""
    with quiet_pydicom():
        header = read_film_header(film(PatientID="P" * 80, AccessionNumber="A" * 40))
        write_object(tmp_path / "study/series/report.dcm", encode(make_report(header, answer())))
    objects, _ = find_outgoing(tmp_path)
    told: list[Delivery] = []
    taken: list[bytes] = []

    def keep(event: Any) -> int:
        taken.append(event.request.DataSet.getvalue())
        return 0

    with entity(keep, syntax=uid.ImplicitVRLittleEndian) as destination:
        send(objects, destination, n_retries=0, on_done=told.append)
    with web(200) as (store, _):
        send(objects, store, n_retries=0, on_done=told.append)
    assert [delivery.problem for delivery in told] == ["", ""]
    assert b"P" * 80 in taken[0]


def test_an_association_that_is_dropped_is_made_again(results: Path) -> None:
    seen: list[str] = []

    def drops_every_second(event: Any) -> int:
        seen.append(event.request.AffectedSOPInstanceUID)
        if len(seen) in {2, 4}:
            event.assoc.abort()
        return 0

    with entity(drops_every_second) as destination:
        assert {delivery.problem for delivery in deliver(results, destination)} == {""}
    assert len(set(seen)) == 6


def test_an_entity_that_always_drops_is_given_up(results: Path) -> None:
    with entity(lambda event: event.assoc.abort() or 0) as destination:
        told = deliver(results, destination, n_retries=1)
    assert all("dropped" in delivery.problem for delivery in told)


def test_an_entity_that_hangs_is_given_up_in_time(results: Path) -> None:
    over = threading.Event()
    with entity(lambda event: (over.wait(60) and 0) or 0, timeout_s=0.5) as destination:
        told = deliver(results, destination, n_retries=0)
        over.set()
    assert all("no answer" in delivery.problem or "dropped" in delivery.problem for delivery in told)


def test_a_kind_that_is_not_taken_is_told_and_the_others_are_sent(results: Path) -> None:
    with entity(takes=(SR,)) as destination:
        told = deliver(results, destination)
        none = deliver(results, StorageEntity("PICKY", "127.0.0.1", orthanc.free_port(), timeout_s=5), n_retries=1)
    assert {(delivery.outgoing.modality, delivery.problem) for delivery in told} == {
        ("SR", ""),
        ("OT", "the other side takes no Secondary Capture Image Storage in Explicit VR Little Endian"),
    }
    assert all("cannot be reached" in delivery.problem for delivery in none)


def test_an_entity_without_any_of_the_kinds_is_not_asked_again(results: Path) -> None:
    with entity(takes=(uid.CTImageStorage,)) as destination:
        told = deliver(results, destination)
    assert {delivery.problem for delivery in told} == {f"{destination} takes none of these kinds of object"}


def test_many_objects_go_over_few_associations(results: Path, tmp_path: Path) -> None:
    (report,) = list(results.rglob("2.25*.dcm"))[:1]
    for number in range(40):
        one = dcmread(report)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        one.save_as(tmp_path / f"{number}.dcm")
    seen: dict[str, int] = {}

    def count(event: Any) -> int:
        seen[event.request.AffectedSOPInstanceUID] = id(event.assoc)
        return 0

    with entity(count) as destination:
        assert send(find_outgoing(tmp_path)[0], destination) == (40, 0)
    assert len(seen) == 40
    assert len(set(seen.values())) == 4


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``good.pem`` for 127.0.0.1 and ``other.pem``, each with its key and signed by itself."""
    return write_certificates(tmp_path_factory.mktemp("tls"))


def test_tls_checks_both_sides(results: Path, certificates: Path) -> None:
    good, key, other = certificates / "good.pem", certificates / "good.key", certificates / "other.pem"
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=good)
    server.load_cert_chain(good, key)
    server.verify_mode = ssl.CERT_REQUIRED
    with entity(server_tls=server, client_tls=tls_context(good, good, key)) as destination:
        assert {delivery.problem for delivery in deliver(results, destination)} == {""}
        port = str(destination.port)
        done = command(results, "--to", f"PICKY@127.0.0.1:{port}", "--tls", "--tls-ca", other, "--retries", 0)
        assert done.return_value == 1
        assert "cannot be reached" in done.stderr


def test_certificates_that_do_not_belong_together_end_in_a_sentence(certificates: Path) -> None:
    with pytest.raises(CxrscanError, match="cannot be used") as caught:
        tls_context(None, certificates / "good.pem", certificates / "other.key")
    assert caught.value.code == "tls-invalid"


@contextmanager
def web(*answers: int | float, location: str = "") -> Iterator[tuple[WebStore, list[str]]]:
    """A server that gives HTTP statuses one after another, the last for ever; a fraction is a wait in seconds."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            if isinstance(answer, float):
                time.sleep(answer)
                return
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/dicom-web"
        session = requests.Session()
        session.max_redirects = 0
        yield WebStore(url, url, session, timeout_s=1.0), asked
        session.close()
        server.shutdown()


@pytest.mark.parametrize(
    ("answers", "problem", "n_asked"),
    [
        ((503, 503, 200), "", 3),
        ((1.5, 200), "", 2),
        ((401,), "answers with HTTP status 401", 1),
        ((503,), "answers with HTTP status 503", 3),
        ((307,), "TooManyRedirects", 3),
    ],
)
def test_web_servers_that_fail_are_tried_again_where_that_may_help(
    results: Path, answers: tuple[int | float, ...], problem: str, n_asked: int
) -> None:
    with web(*answers, location="http://127.0.0.1:9/elsewhere" if answers == (307,) else "") as (store, asked):
        told = deliver(results, store, n_retries=2)
    assert all(problem in delivery.problem and bool(problem) == bool(delivery.problem) for delivery in told)
    assert len(asked) == n_asked


def test_nobody_listening_is_told_and_the_exit_code_says_so(results: Path) -> None:
    done = command(results, "--stow", f"http://user:secret@127.0.0.1:{orthanc.free_port()}/dicom-web", "--retries", 0)
    assert done.return_value == 1
    assert "6 not sent" in done.stderr
    assert "secret" not in done.stderr + done.stdout


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film(1))
    done = command(tmp_path, "--to", "A@127.0.0.1:1")
    assert isinstance(done.exception, CxrscanError)
    assert done.exception.code == "nothing-to-send"


def test_half_written_objects_are_not_sent(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "results")
    some = next((tmp_path / "results").rglob("2.25*.dcm"))
    some.rename(some.with_name(f".{some.name}.part"))
    assert len(find_outgoing(tmp_path / "results")[0]) == 5
