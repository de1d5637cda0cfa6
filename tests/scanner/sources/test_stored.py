"""A run that was received must not choose what this computer connects to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.sources.stored import stored_roots
from tests.reports.films import INFO


def test_a_received_run_does_not_choose_what_this_computer_connects_to(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("here.dcm\nhttps://intranet/films/1.dcm?token=1\n")
    listed = str(tmp_path / "list.txt")
    for roots, arguments in (
        (("/films", "https://user:secret@intranet/films/"), {}),
        (("dicomweb://intranet/studies",), {}),
        (("zip://::https://intranet/films.zip",), {}),
        (("zip://https://intranet/films.zip",), {}),
        ((listed,), {"from_file": listed}),
    ):
        with pytest.raises(RunFolderError) as caught:
            stored_roots(replace(INFO, roots=roots, arguments=arguments))
        assert caught.value.code == "films-elsewhere"
        assert "secret" not in caught.value.message
        assert "token" not in caught.value.message
    assert stored_roots(replace(INFO, roots=("/films",), arguments={})) == (Path("/films"),)
