"""How a service stands, told from a folder that may come from anywhere."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cxrscan.scanner.cli.service_options import tell_status
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.service.events import Trouble
from cxrscan.scanner.service.ledger import Queues
from cxrscan.scanner.service.status import STATUS_NAME, ServiceStatus, keep_status, read_status

STATUS = ServiceStatus(
    "running",
    "0.2.0",
    "mobilenet",
    "2026-11-27T08:00:00+00:00",
    "2026-11-27T09:00:00+00:00",
    Queues(1, 2, 3, 4, 5),
    {"scanned": 6},
    is_destination=True,
    troubles=(Trouble("2026-11-27T08:30:00+00:00", "not-sent", "no answer \x1b[31m"),),
)


def test_a_service_that_was_killed_has_ended_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep_status(tmp_path, STATUS)
    assert read_status(tmp_path).state == "ended without a word"
    assert read_status(tmp_path).queues == STATUS.queues
    assert tell_status(tmp_path, as_json=False) == 3
    told = capsys.readouterr().out
    assert "no answer" in told
    assert "\x1b" not in told
    assert tell_status(tmp_path, as_json=True) == 3
    assert json.loads(capsys.readouterr().out)["counts"] == {"scanned": 6}


WHOLE: dict[str, Any] = asdict(STATUS)
DAMAGED = {
    "empty": "",
    "nothing in it": "{}",
    "no object": "[]",
    "deep": "[" * 100_000,
    "no queues": json.dumps({**WHOLE, "queues": 1}),
    "counts of another type": json.dumps({**WHOLE, "counts": {"scanned": "6"}}),
    "troubles of another type": json.dumps({**WHOLE, "troubles": 3}),
    "no number": json.dumps({**WHOLE, "free_gib": float("nan")}),
    "swollen": json.dumps({**WHOLE, "state": "x" * (1 << 21)}),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_status_is_told_in_a_sentence(case: str, tmp_path: Path) -> None:
    (tmp_path / STATUS_NAME).write_text(DAMAGED[case])
    with pytest.raises(RunFolderError) as caught:
        read_status(tmp_path)
    assert caught.value.code == "not-a-service"


def test_a_pipe_in_the_place_of_the_status_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / STATUS_NAME)
    with pytest.raises(RunFolderError):
        read_status(tmp_path)
