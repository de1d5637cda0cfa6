"""What lies in deploy/ does what it says, as far as that can be tried without a container."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.scanner.dicom_results.objects import film

DEPLOY = Path(__file__).parent.parent / "deploy"


def test_as_a_module_of_mercure_results_lie_where_they_are_looked_for(tmp_path: Path) -> None:
    for name in ("in", "out", "bin"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin/cxrscan"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from cxrscan.scanner.cli.main import main; main()' \"$@\"\n"
    )
    program.chmod(0o755)
    (tmp_path / "in/1.2.3#film.dcm").write_bytes(film(1))
    (tmp_path / "in/task.json").write_text("{}")
    places = {"MERCURE_IN_DIR": str(tmp_path / "in"), "MERCURE_OUT_DIR": str(tmp_path / "out")}
    environment = {**os.environ, **places, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run([DEPLOY / "mercure.sh"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(dcmread(path).Modality for path in (tmp_path / "out").iterdir()) == ["OT", "SR", "SR"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = tmp_path / "cxrscan.service"
    unit.write_text((DEPLOY / "cxrscan.service").read_text().replace("/opt/cxrscan/bin/cxrscan", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "cxrscan.service" in line]
    assert told == []


def test_the_container_copies_what_is_there() -> None:
    copied = re.findall(r"^COPY (?:--chmod=\d+ )?(deploy/\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert copied == ["deploy/mercure.sh"]
    assert os.access(DEPLOY / "mercure.sh", os.X_OK)
