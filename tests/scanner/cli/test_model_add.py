"""Bundles of others: added and refused where they are not what was promised."""

from __future__ import annotations

import hashlib
import io
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cxrscan.scanner.bundles.fetch import fetch
from cxrscan.scanner.bundles.offers import Offer, read_index, receive
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
from tests.builders import write_film
from tests.scanner.cli.test_cli import cxrscan as command

MODEL, WEIGHTS = (DEFAULT_BUNDLE / "model.json").read_bytes(), (DEFAULT_BUNDLE / "model.tflite").read_bytes()


def packed(files: dict[str, bytes]) -> bytes:
    """A zip file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


BUNDLE_ZIP = packed(
    {"b/model.json": MODEL, "b/model.tflite": WEIGHTS, "b/MODEL_CARD.md": b"# Card", "../../evil": b"x"}
)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has no bundles yet."""
    return {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home/settings")}


Handler = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of a server on this computer."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", path.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, bytes | Handler]]]:
    """Address of a web server with TLS on this computer, and what it answers by path."""
    answers: dict[str, bytes | Handler] = {}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path)
            if callable(answer):
                answer(self)
            elif answer is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Clients may leave early."""

    web = Quiet(("127.0.0.1", 0), Answering)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    monkeypatch.setenv("NO_PROXY", "localhost")
    yield f"https://localhost:{web.server_port}", answers
    web.shutdown()
    web.server_close()
    thread.join()


def test_a_bundle_is_added_and_found_by_its_name(tmp_path: Path, home: dict[str, str]) -> None:
    (tmp_path / "theirs.zip").write_bytes(BUNDLE_ZIP)
    sha256 = hashlib.sha256(BUNDLE_ZIP).hexdigest()
    arguments = ["model", "add", "theirs.zip", "--name", "theirs", "--sha256", sha256]
    asked = command(*arguments, cwd=tmp_path, env=home, input="n\n")
    assert asked.returncode == 130
    assert "Limits " in asked.stderr
    assert "Add theirs under its licence, " in asked.stderr
    assert command("model", "list", env=home).stdout.count("\n") == 1
    added = command(*arguments, cwd=tmp_path, env=home, input="y\n")
    assert added.returncode == 0, added.stderr
    assert not (tmp_path / "evil").exists()
    again = command(*arguments, "--yes", cwd=tmp_path, env=home)
    assert (again.returncode, "[bundle-exists]" in again.stderr) == (1, True)
    listed = json.loads(command("model", "list", "--json", env=home).stdout)
    assert [(row["name"], row["source"]) for row in listed] == [("(shipped)", ""), ("theirs", "theirs.zip")]
    write_film(tmp_path / "films/1.png", 1, height=240, width=240)
    (tmp_path / "theirs").mkdir()  # a folder that is called the same is not taken
    done = command("run", "films", "--model", "theirs", cwd=tmp_path, env=home)
    assert done.returncode == 0, done.stderr
    code = "import cxrscan; print(cxrscan.load_model('theirs').spec.folder)"
    opened = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=home, capture_output=True, text=True, check=False
    )
    assert opened.stdout.strip().endswith("cxrscan/models/theirs"), opened.stderr


def test_bundles_come_from_a_server_a_repository_and_an_index(
    server: tuple[str, dict[str, bytes | Handler]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, answers = server
    answers["/b.zip"] = BUNDLE_ZIP
    answers["/o/r/resolve/v1/sub/model.json"], answers["/o/r/resolve/v1/sub/model.tflite"] = MODEL, WEIGHTS
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert receive(Offer(f"{address}/b.zip", hashlib.sha256(BUNDLE_ZIP).hexdigest())).card == b"# Card"
    answers["/b.zip?token=hidden"] = BUNDLE_ZIP
    with pytest.raises(BundleError) as caught:
        receive(Offer(f"{address}/b.zip?token=hidden", "0" * 64))
    assert (caught.value.code, "hidden" in caught.value.message) == ("bundle-other", False)
    sha256 = hashlib.sha256(MODEL).hexdigest()
    index = {"models": {"ours": {"source": "hf://o/r@v1/sub", "sha256": sha256, "description": "Ours"}}}
    answers["/index.json"] = json.dumps(index).encode()
    offers = read_index(f"{address}/index.json")
    received = receive(offers["ours"])
    assert (received.files.description, received.files.weights, received.card) == (MODEL, WEIGHTS, b"")
    listed = command("model", "list", "--index", f"{address}/index.json", "--json")
    assert json.loads(listed.stdout) == [{"name": "ours", "description": "Ours", "source": "hf://o/r@v1/sub"}]


def redirect(to: str) -> Handler:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.end_headers()

    return answer


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(bytes(1 << 16))


def dripping(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
    for _ in range(200):
        request.wfile.write(b"x")
        time.sleep(0.05)


def test_servers_that_misbehave_are_left_with_a_sentence(server: tuple[str, dict[str, bytes | Handler]]) -> None:
    address, answers = server
    answers |= {
        "/away": redirect("http://127.0.0.1:9/"),
        "/file": redirect("file:///etc/passwd"),
        "/round": redirect("/round"),
        "/endless": endless,
        "/dripping": dripping,
        "/fine": b"fine",
        "/to-fine": redirect("/fine"),
    }
    assert fetch(f"{address}/to-fine", 4) == b"fine"
    for path, problem in {
        "/away": "something else than https",
        "/file": "the server answers 302",
        "/round": "30",
        "/endless": "larger than",
        "/fine": "larger than",
        "/none": "the server answers 404",
        "/dripping": "longer than",
    }.items():
        with pytest.raises(BundleError, match=problem) as caught:
            fetch(address + path, 3, timeout_s=1 if path == "/dripping" else 60)
        assert caught.value.code == "download-failed"
    for other in ("http://localhost/x", "file:///etc/passwd", "ftp://localhost/x"):
        with pytest.raises(BundleError, match="only https is taken"):
            fetch(other, 100)


def test_another_certificate_is_not_trusted(
    server: tuple[str, dict[str, bytes | Handler]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(BundleError, match="certificate verify failed"):
        fetch(f"{server[0]}/b.zip", 100)


@pytest.mark.parametrize(
    "files",
    [
        {"model.json": MODEL},
        {"a/model.json": MODEL, "b/model.json": MODEL, "model.tflite": WEIGHTS},
        {"../model.json": b" " * (9 << 20), "../model.tflite": WEIGHTS},
        {"model.json": MODEL, "model.tflite": WEIGHTS, **{f"{i}": b"" for i in range(1_000)}},
        {},
    ],
)
def test_zip_files_that_swell_or_climb_are_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(packed(files))
    with pytest.raises(BundleError) as caught:
        receive(Offer(str(tmp_path / "b.zip")))
    assert caught.value.code == "bundle-invalid"
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


def test_a_damaged_zip_file_is_refused(tmp_path: Path) -> None:
    for cut in (b"", BUNDLE_ZIP[:-30], BUNDLE_ZIP[:200] + b"\xff" * 200 + BUNDLE_ZIP[400:]):
        (tmp_path / "b.zip").write_bytes(cut)
        with pytest.raises(BundleError):
            receive(Offer(str(tmp_path / "b.zip")))


def test_a_bundle_with_another_hash_is_not_added(tmp_path: Path, home: dict[str, str]) -> None:
    done = command("model", "add", DEFAULT_BUNDLE, "--name", "x", "--sha256", "0" * 64, "--yes", env=home)
    assert (done.returncode, "[bundle-other]" in done.stderr) == (1, True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/model.json").write_bytes(MODEL)
    (tmp_path / "b/model.tflite").write_bytes(WEIGHTS[:-1])
    done = command("model", "add", tmp_path / "b", "--name", "x", "--yes", env=home)
    assert (done.returncode, "[bundle-hash]" in done.stderr) == (1, True)
    assert command("model", "list", env=home).stdout.count("\n") == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"source": "file:///etc/passwd", "sha256": "0" * 64},
        {"source": "/etc/passwd", "sha256": "0" * 64},
        {"source": "http://localhost/b.zip", "sha256": "0" * 64},
        {"source": "https://localhost/b.zip"},
        {"source": "https://localhost/b.zip", "sha256": "0"},
        {"source": "https://localhost/\x1b[2J", "sha256": "0" * 64},
    ],
)
def test_an_index_names_nothing_of_this_computer(entry: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"models": {"ours": entry}}))
    with pytest.raises(BundleError) as caught:
        read_index(str(tmp_path / "index.json"))
    assert caught.value.code == "index-invalid"


def test_names_of_an_index_are_no_paths(tmp_path: Path) -> None:
    fine = {"source": "https://localhost/b.zip", "sha256": "0" * 64}
    for name in ("../x", "X", "", ".hidden", "a/b"):
        (tmp_path / "index.json").write_text(json.dumps({"models": {name: fine}}))
        with pytest.raises(BundleError, match="is no name for a bundle"):
            read_index(str(tmp_path / "index.json"))
