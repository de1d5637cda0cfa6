"""What threads share, they get back whole."""

from __future__ import annotations

import os
import sys
import warnings
from threading import Thread

import pytest

from cxrscan.scanner.system.quiet import silent_stderr, silent_warnings


def enter_and_leave_in_turns(shared: object) -> None:
    """The first thread in is the first out, while the second is still inside."""
    shared.__enter__()  # type: ignore[attr-defined]
    second = Thread(target=shared.__enter__)  # type: ignore[attr-defined]
    second.start()
    second.join()
    shared.__exit__()  # type: ignore[attr-defined]


def test_standard_error_is_silent_until_the_last_thread_leaves_and_comes_back_then(
    capfd: pytest.CaptureFixture[str],
) -> None:
    enter_and_leave_in_turns(silent_stderr)
    os.write(2, b"hush")
    silent_stderr.__exit__()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_warnings_are_silent_until_the_last_thread_leaves_and_come_back_then() -> None:
    enter_and_leave_in_turns(silent_warnings)
    warnings.warn("hush", UserWarning, stacklevel=1)
    silent_warnings.__exit__()
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", UserWarning, stacklevel=1)


def test_a_closed_standard_error_is_left_alone() -> None:
    kept = os.dup(2)
    sys.stderr.flush()
    os.close(2)
    try:
        with silent_stderr:
            pass
        with pytest.raises(OSError, match="descriptor"):
            os.write(2, b"closed")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
