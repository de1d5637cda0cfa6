"""Rates with a PACS on this machine: ``python -m tests.bench.pacs_rate FILMS``, a folder of DICOM films.

Orthanc and the scan share the cores, so the rate over DICOMweb is a lower bound for an archive that has its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import orthanc

PROGRAM = [sys.executable, "-c", "from cxrscan.scanner.cli.main import main; main()"]


def seconds(*arguments: object) -> float:
    """Wall time of a command of cxrscan."""
    start = time.perf_counter()
    subprocess.run([*PROGRAM, *map(str, arguments)], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the rates; all films must be scored."""
    films = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    work = Path(tempfile.mkdtemp())
    with orthanc.running(work) as pacs:
        for path in films:
            pacs.put(path.read_bytes())
        for place in (f"{pacs.web}/studies?Modality=CR,DX", Path(sys.argv[1])):
            sys.stdout.write(
                f"run, {place}: {len(films) / seconds('run', place, '-o', work / 'run', '--fresh'):.1f} films/s\n"
            )
        took_s = seconds("dicom", work / "run", "-o", work / "results")
        n_objects = len(list((work / "results").rglob("*.dcm")))
        sys.stdout.write(f"dicom: {n_objects / took_s:.1f} objects/s\n")
        for way in (("--to", pacs.entity), ("--stow", pacs.web)):
            sys.stdout.write(f"send {way[0]}: {n_objects / seconds('send', work / 'results', *way):.1f} objects/s\n")


if __name__ == "__main__":
    main()
