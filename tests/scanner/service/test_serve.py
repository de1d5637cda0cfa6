"""``cxrscan serve``: what modalities and archives do to it, and what it does to them."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import DigitalXRayImageStorageForPresentation

from cxrscan.scanner.readers.dicom import quiet_pydicom
from tests import orthanc
from tests.builders import film_pixels
from tests.certificates import write_certificates
from tests.scanner.dicom_results.objects import N_RESULTS, film
from tests.scanner.service.services import Receiver, cxrscan, finish, receiving, wait_until, write_all

N_SIDE_BY_SIDE = 4


def audit(folder: Path) -> list[dict[str, str]]:
    """Entries of the audit log."""
    lines = [line for path in (folder / "log").glob("audit-*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def received(folder: Path) -> set[str]:
    """SOP Instance UIDs on the disk."""
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in folder.glob("received/*/*.dcm")}


def test_films_of_several_callers_are_in_the_journal_once_and_each_study_is_answered(tmp_path: Path) -> None:
    paths = write_all(tmp_path / "films", [film(n, study=1 + n % 3) for n in range(24)])
    out = tmp_path / "out"
    with receiving(out, "--quiet-time", "1", "--log-format", "json", "--hash-uids") as service:
        sending = [service.send(*paths[number::N_SIDE_BY_SIDE]) for number in range(N_SIDE_BY_SIDE)]
        assert [finish(each)[0] for each in sending] == [0] * N_SIDE_BY_SIDE
        assert finish(service.send(*paths[:3]))[0] == 0  # what is sent again is the same file
        service.wait_for("results", 24 * N_RESULTS)
        assert service.stop() == 0
        assert len(service.names()) == 24
        assert (service.counts("received"), service.counts("scanned")) == (27, 24)
    assert len(list((out / "dicom-results").rglob("*.dcm"))) == 24 * N_RESULTS
    entries = audit(out)
    assert [entry["status"] for entry in entries] == ["0000"] * 27
    assert {entry["caller"] for entry in entries} == {"MODALITY"}
    assert not any(entry["sop_uid"].startswith("1.2.") for entry in entries)
    lines = [json.loads(line) for line in (out / "log/service.log").read_text().splitlines()]
    assert lines[-1]["message"] == "stopped"
    told = (out / "service.json").read_text() + (out / "log/service.log").read_text() + json.dumps(entries)
    assert "Doe" not in told
    assert cxrscan("report", out, "-q").returncode == 0


def test_whatever_was_answered_with_success_survives_kills_and_is_scanned_once(tmp_path: Path) -> None:
    kill_at_random_moments(tmp_path, n_rounds=3, n_films=8)


def kill_at_random_moments(tmp_path: Path, *, n_rounds: int, n_films: int) -> None:
    """Kill a service while callers send, start it again, and hold what it answered against what it has."""
    dice = random.Random(26)
    answered: set[str] = set()
    with receiving(tmp_path / "out", "--quiet-time", "3600") as service:
        for number in range(n_rounds):
            films = [film(number * 1000 + n, study=1 + n % 5) for n in range(n_films)]
            paths = write_all(tmp_path / f"films{number}", films)
            sending = [service.send(*paths[part::2]) for part in range(2)]
            time.sleep(dice.uniform(0.02, 0.7))
            service.kill()
            for part, each in enumerate(sending):
                said = finish(each)[1]
                # storescu sends in order, and ends at the first object that is not answered
                n_taken = said.count("Received Store Response (Success)")
                answered |= {str(dcmread(path).SOPInstanceUID) for path in paths[part::2][:n_taken]}
            service.start()
        on_disk = received(service.folder)
        assert answered <= on_disk
        wait_until(lambda: len(service.names()) >= len(on_disk), "all films to be scanned")
        assert service.stop() == 0
        assert len(service.names()) == len(on_disk) == len(list(service.folder.glob("received/*/*.dcm")))
        assert not list(service.folder.glob("receiving/*"))


def test_who_is_not_on_the_list_or_calls_somebody_else_is_refused(tmp_path: Path) -> None:
    (path,) = write_all(tmp_path / "films", [film(1)])
    with receiving(tmp_path / "out", "--allow", "CR1@127.0.0.1", "--allow", "CR2@10.0.0.1") as service:
        assert finish(service.send(path, aet="CR1"))[0] == 0
        for caller in ({"aet": "CR2"}, {"aet": "OTHER"}, {"aet": "CR1", "aec": "WRONG"}):
            code, said = finish(service.send(path, **caller))
            assert (code != 0, "Rejected" in said) == (True, True), said
        service.wait_for("rejected_callers", 3)
        assert service.stop() == 0
        assert service.counts("received") == 1


@pytest.mark.parametrize("option", ["--port", "--status-port"])
def test_a_port_that_is_taken_is_named(option: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = {"--port": orthanc.free_port(), "--status-port": 0} | {option: taken}
        done = cxrscan("serve", "-o", tmp_path / "out", *(each for pair in ports.items() for each in pair))
    assert (done.returncode, "[port-taken]" in done.stderr, f":{taken} " in done.stderr) == (1, True, True), done.stderr


def test_beyond_this_computer_a_list_is_needed(tmp_path: Path) -> None:
    done = cxrscan("serve", "-o", tmp_path / "out", "--bind", "0.0.0.0")
    assert (done.returncode, "--allow" in done.stderr) == (2, True)


def test_with_tls_only_callers_with_a_trusted_certificate_are_heard(tmp_path: Path) -> None:
    (path,) = write_all(tmp_path / "films", [film(1)])
    folder = write_certificates(tmp_path)
    good, key, other = folder / "good.pem", folder / "good.key", folder / "other"
    with receiving(
        tmp_path / "out", "--tls", "--tls-cert", good, "--tls-key", key, "--tls-ca", good, "--network-timeout", "5"
    ) as service:
        trusts = ("+cf", good)
        for caller in ((), ("+tla", *trusts), ("+tls", f"{other}.key", f"{other}.pem", *trusts)):
            assert finish(service.send(path, options=caller))[0] != 0, caller
        code, said = finish(service.send(path, options=("+tls", key, good, *trusts)))
        assert code == 0, said
        service.wait_for("scanned", 1)
        assert service.stop() == 0
        assert service.counts("received") == 1


def connect(service: Receiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port))


def test_peers_that_hang_say_nothing_or_send_nonsense_keep_nobody_waiting(tmp_path: Path) -> None:
    (path,) = write_all(tmp_path / "films", [film(1)])
    with receiving(tmp_path / "out", "--network-timeout", "5") as service, ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(closing(connect(service)))
        half = stack.enter_context(closing(connect(service)))
        half.sendall(struct.pack(">BBL", 1, 0, 5000) + b"\0" * 100)  # and nothing more
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", struct.pack(">BBL", 1, 0, 0xFFFFFFFF), b"\x04\0\0\0\0\x05abcde"):
            stack.enter_context(closing(connect(service))).sendall(nonsense)
        for _ in range(3):  # a caller who is dropped to make room for another tries again
            if finish(service.send(path))[0] == 0:
                break
        service.wait_for("received", 1)
        wait_until(lambda: service.status()["n_connections"] == 0, "the silent connections to be ended")
        assert service.stop() == 0


def associate(service: Receiver) -> object:
    entity = AE("MODALITY")
    entity.add_requested_context(DigitalXRayImageStorageForPresentation)
    association = entity.associate("127.0.0.1", service.port, ae_title="CXRSCAN")
    assert association.is_established
    return association


def test_half_objects_leave_nothing_and_hostile_identifiers_lead_nowhere(tmp_path: Path) -> None:
    data = film(1)
    with receiving(tmp_path / "out") as service, quiet_pydicom():  # our own side would warn of what it sends
        association = associate(service)
        dataset = dcmread(write_all(tmp_path / "films", [data])[0])
        for uid in ("../../../../tmp/evil", "1." + "2" * 68, "1.2.3\0/../x", "", "CON", "1.2.826.0.1.3680043.10.1.9"):
            dataset.SOPInstanceUID = uid
            dataset.file_meta.MediaStorageSOPInstanceUID = uid
            with suppress(ValueError, RuntimeError, AttributeError):  # our own side refuses to send some
                association.send_c_store(dataset)  # type: ignore[attr-defined]
            if not association.is_established:  # type: ignore[attr-defined]
                association = associate(service)
        association.dul.socket.socket.close()  # type: ignore[attr-defined]
        paths = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.dcm") if "dicom-results" not in path.parts]
        assert all(len(path.parts) == 4 or path.parts[0] == "films" for path in paths)
        service.wait_for("received", 1)
        assert service.stop() == 0
        assert received(service.folder) == {"1.2.826.0.1.3680043.10.1.9"}


def test_an_object_that_is_too_large_and_a_full_disk_are_refused_with_a700(tmp_path: Path) -> None:
    small, large = write_all(tmp_path / "films", [film(1), film(2, film_pixels(2, height=1200, width=1100))])
    with receiving(tmp_path / "out", "--max-object", "1") as service:
        _, said = finish(service.send(large, small))
        assert said.count("OutOfResources") == 1 or "a700" in said.lower(), said
        service.wait_for("refused", 1)
        assert finish(service.send(small))[0] == 0
        assert service.stop() == 0
        assert [entry["status"] for entry in audit(service.folder)].count("A700") == 1
        assert len(received(service.folder)) == 1
    with receiving(tmp_path / "full", "--min-free", "1000000") as service:
        _, said = finish(service.send(small))
        assert "Success" not in said, said
        service.wait_for("refused", 1)
        assert service.stop() == 0
        assert [entry["status"] for entry in audit(service.folder)] == ["A700"]
        assert not received(service.folder)


def test_what_has_begun_when_the_service_is_asked_to_end_is_finished(tmp_path: Path) -> None:
    paths = write_all(tmp_path / "films", [film(n) for n in range(40)])
    with receiving(tmp_path / "out", "--max-rate", "2") as service:
        sending = service.send(*paths)
        service.wait_for("received", 1)
        assert service.stop() == 0
        said = finish(sending)[1]
        n_taken = said.count("Received Store Response (Success)")
        assert 1 <= n_taken <= len(received(service.folder)) < len(paths)
        assert len(service.names()) == len(received(service.folder))


@pytest.fixture
def pacs(tmp_path: Path) -> object:
    port = orthanc.free_port()
    (tmp_path / "pacs").mkdir()
    settings = {"DicomModalities": {"cxrscan": ["CXRSCAN", "127.0.0.1", port]}, "DicomCheckCalledAet": False}
    with orthanc.running(tmp_path / "pacs", **settings) as server:
        server.partner_port = port  # type: ignore[attr-defined]
        yield server


def test_orthanc_sends_a_study_and_gets_its_results_also_when_it_was_away(
    pacs: orthanc.Orthanc, tmp_path: Path
) -> None:
    for number in (1, 2):
        pacs.put(film(number))
    (study,) = pacs.get("/studies")
    options = ["--quiet-time", "1", "--port", pacs.partner_port, "--to", pacs.entity]  # type: ignore[attr-defined]
    with receiving(tmp_path / "out", *options) as service:
        pacs.post("/modalities/cxrscan/store", study)
        service.wait_for("sent", 2 * N_RESULTS)
        assert pacs.n_objects == 2 + 2 * N_RESULTS
        series = [pacs.get(f"/series/{each}")["MainDicomTags"]["Modality"] for each in pacs.get("/series")]
        assert sorted(series) == ["DX", "OT", "SR", "SR"]
        assert service.stop() == 0
    nowhere = f"GONE@127.0.0.1:{orthanc.free_port()}"
    with receiving(tmp_path / "kept", *options[:4], "--to", nowhere) as service:
        pacs.post("/modalities/cxrscan/store", study)
        wait_until(lambda: service.status().get("queues", {}).get("n_failing") == 2 * N_RESULTS, "results to be kept")
        assert "not-sent" in {trouble["code"] for trouble in service.status()["troubles"]}
        assert service.stop() == 0
    with receiving(tmp_path / "kept", *options) as service:  # the archive is back, and the results are sent
        service.wait_for("sent", 2 * N_RESULTS)
        assert service.stop() == 0
