"""The viewer's port answers whoever has the token, and nobody else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from tests.builders import write_film

COMMAND = [
    sys.executable,
    "-c",
    "import sys; sys.path.pop(0); from cxrscan.scanner.cli.main import main; main()",
    "view",
]
OPEN_DOORS = """
[server]
enableCORS = false
enableXsrfProtection = false
enableAgentApi = true
enableStaticServing = true
scriptHealthCheckEnabled = true
allowedHosts = ["*"]
address = "0.0.0.0"
[global]
developmentMode = true
[theme]
base = "http://127.0.0.1:9/theme.toml"
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a viewer on a run, started in a folder whose settings open all doors."""
    from cxrscan.reports.outputs import write_outputs

    folder = tmp_path_factory.mktemp("received")
    write_film(folder / "films/film.png", 1, height=210, width=210)
    run(RunRequest((folder / "films",), folder / "run", ScanSettings(), n_workers=1), write_outputs)
    for place in (folder, folder / "run"):
        (place / ".streamlit").mkdir()
        (place / ".streamlit/config.toml").write_text(OPEN_DOORS)
        (place / ".streamlit/secrets.toml").write_text("x = [[[")
    viewer = subprocess.Popen(
        [*COMMAND, folder / "run", "--no-browser"], cwd=folder / "run", stderr=subprocess.PIPE, text=True
    )
    assert viewer.stderr is not None
    line = viewer.stderr.readline()
    assert line.startswith("Viewer at "), line + viewer.stderr.read()
    yield line.split()[2]
    viewer.send_signal(signal.SIGINT)
    said = viewer.communicate(timeout=30)[1]
    assert "Traceback" not in said, said


def ask(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=20)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def token(address: str) -> str:
    return address.partition("token=")[2]


PATHS = ("/", "/film", "/static/", "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics", "/media/x.jpg")


@pytest.mark.parametrize("path", PATHS)
def test_no_path_answers_without_the_token(path: str, address: str) -> None:
    for wrong in ("", "?token=", "?token=x", f"?token={token(address)[:-1]}", f"?tokens={token(address)}"):
        assert ask(address, path + wrong)[0] == 403
    assert ask(address, path, "POST")[0] == ask(address, path, "DELETE")[0] == ask(address, path, "OPTIONS")[0] == 403
    port = urlsplit(address).port
    assert ask(address, path, Cookie=f"cxrscan-{port}=x")[0] == 403
    assert ask(address, path, Cookie=f"cxrscan-{port}={token(address)}")[0] != 403


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(address: str) -> None:
    status, headers = ask(address, f"/?token={token(address)}")
    assert status == 200
    assert {part.strip() for part in headers["set-cookie"].split(";")[1:]} == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert (headers["referrer-policy"], headers["x-frame-options"]) == ("no-referrer", "DENY")
    assert len(token(address)) >= 40


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "0.0.0.0", "[::1"])
def test_another_name_of_this_computer_is_refused_even_with_the_token(host: str, address: str) -> None:
    assert ask(address, f"/?token={token(address)}", Host=host)[0] == 403


def streams(address: str, query: str = "", origin: str | None = None, cookie: str = "") -> bool:
    """Whether the viewer sends its page over a WebSocket."""
    where = f"ws://{urlsplit(address).netloc}/_stcore/stream{query}"
    try:
        with connect(
            where, origin=origin, subprotocols=["streamlit"], additional_headers={"Cookie": cookie}, max_size=None
        ) as stream:
            message = BackMsg()
            message.rerun_script.query_string = ""
            stream.send(message.SerializeToString())
            return len(stream.recv(timeout=60)) > 0
    except InvalidStatus:
        return False


def test_the_stream_of_the_page_needs_the_token_and_the_pages_own_origin(address: str) -> None:
    right, netloc = f"?token={token(address)}", urlsplit(address).netloc
    cookie = f"cxrscan-{urlsplit(address).port}={token(address)}"
    assert streams(address, right)
    assert streams(address, cookie=cookie, origin=f"http://{netloc}")
    assert not streams(address)
    assert not streams(address, "?token=x", cookie="a=b; c")
    for origin in ("https://evil.example", "http://localhost:9999", "http://127.0.0.1:1", "null", f"https://{netloc}"):
        assert not streams(address, right, origin=origin)


def test_the_port_is_open_on_this_computer_only(address: str) -> None:
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    if not all(table.exists() for table in tables):
        pytest.skip("no Linux")
    lines = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    port = f"{urlsplit(address).port:04X}"
    assert {cells[1] for cells in lines if cells[3] == "0A" and cells[1].endswith(f":{port}")} == {f"0100007F:{port}"}


BROWSER = """#!/bin/sh
echo "$@" > "$SEEN"
cat "${1#file://}" > "$SEEN.page"
ls -ld "$(dirname "${1#file://}")" >> "$SEEN"
"""


def test_the_browsers_command_line_does_not_hold_the_token(tmp_path: Path) -> None:
    (tmp_path / "browser").write_text(BROWSER)
    (tmp_path / "browser").chmod(0o755)
    environment = {**os.environ, "BROWSER": str(tmp_path / "browser"), "SEEN": str(tmp_path / "seen")}
    viewer = subprocess.Popen(COMMAND, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert viewer.stderr is not None
    address = viewer.stderr.readline().split()[2]
    deadline = time.monotonic() + 60
    while not ((tmp_path / "seen").exists() and "drw" in (tmp_path / "seen").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    viewer.send_signal(signal.SIGINT)
    viewer.communicate(timeout=30)
    seen = (tmp_path / "seen").read_text()
    assert token(address) not in seen
    assert "drwx------" in seen
    assert address in (tmp_path / "seen.page").read_text()
    place = re.match(r"file://(\S+)", seen)
    assert place is not None
    assert not Path(place[1]).exists()
