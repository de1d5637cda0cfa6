"""Orthanc, a PACS, on the loopback address: C-STORE and DICOMweb."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    """A running server; ``title@127.0.0.1:dicom_port`` and ``web``."""

    title = "ORTHANC"

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.dicom_port, self.http_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.web = f"{self.url}/dicom-web"
        self.entity = f"{self.title}@127.0.0.1:{self.dicom_port}"
        configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [str(_PLUGIN)],
            "DicomAet": self.title,
            "DicomPort": self.dicom_port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
            **settings,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        self._log = (folder / "orthanc.log").open("wb")
        program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program is not None
        self.process = subprocess.Popen([program, folder / "orthanc.json"], stdout=self._log, stderr=self._log)
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            with suppress(URLError, OSError):
                self.get("/system")
                return
            assert self.process.poll() is None, "Orthanc ended at once"
            time.sleep(0.1)
        raise AssertionError("Orthanc does not answer")

    def get(self, path: str) -> Any:
        """Answer of Orthanc's own interface."""
        with urlopen(f"{self.url}{path}") as answer:
            return json.loads(answer.read())

    def put(self, data: bytes) -> None:
        """Store an object."""
        with urlopen(Request(f"{self.url}/instances", data=data, method="POST")) as answer:
            answer.read()

    def post(self, path: str, text: str) -> None:
        """Order something of Orthanc's own interface."""
        with urlopen(Request(f"{self.url}{path}", data=text.encode(), method="POST")) as answer:
            answer.read()

    @property
    def n_objects(self) -> int:
        """How many objects are stored."""
        return int(self.get("/statistics")["CountInstances"])

    def n_of(self, modality: str) -> int:
        """How many objects of a modality are stored."""
        query = json.dumps({"Level": "Instance", "Query": {"Modality": modality}}).encode()
        with urlopen(Request(f"{self.url}/tools/find", data=query, method="POST")) as answer:
            return len(json.loads(answer.read()))

    def objects(self) -> list[bytes]:
        """All that is stored, as it is stored."""
        found = []
        for identifier in self.get("/instances"):
            with urlopen(f"{self.url}/instances/{identifier}/file") as answer:
                found.append(answer.read())
        return found

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(30)
        self._log.close()


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Orthanc]:
    """Run a server, or skip where it is not installed."""
    if not (_PLUGIN.exists() and shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")):
        pytest.skip("needs Orthanc with DICOMweb (Debian: orthanc, orthanc-dicomweb)")
    server = Orthanc(folder, **settings)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens on port {port}")
