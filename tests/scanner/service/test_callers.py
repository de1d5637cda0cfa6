"""The allow-list: titles with addresses."""

from __future__ import annotations

import pytest

from cxrscan.scanner.service.callers import Caller, is_allowed, may_connect


@pytest.mark.parametrize("text", ["CR1", "@10.0.0.1", "CR1@", "CR1@host", "A" * 17 + "@10.0.0.1", "CR1@10.0.0.1/8"])
def test_what_is_no_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # its text is the user's own
        Caller.parse(text)


def test_a_caller_is_known_by_title_and_address_together() -> None:
    callers = [Caller.parse("CR1@10.0.0.17"), Caller.parse("*@192.168.1.0/24"), Caller.parse("CR2@[fe80::1]")]
    assert is_allowed(callers, "CR1", "10.0.0.17")
    assert is_allowed(callers, "CR1 ", "::ffff:10.0.0.17")
    assert not is_allowed(callers, "CR2", "10.0.0.17")
    assert not is_allowed(callers, "CR1", "10.0.0.18")
    assert is_allowed(callers, "ANY", "192.168.1.99")
    assert not is_allowed(callers, "ANY", "192.168.2.99")
    assert is_allowed(callers, "CR2", "fe80::1%eth0")
    assert may_connect(callers, "10.0.0.17")
    assert not may_connect(callers, "127.0.0.1")


def test_without_a_list_only_this_computer_may_send() -> None:
    assert is_allowed([], "ANY", "127.0.0.1")
    assert is_allowed([], "ANY", "::1")
    assert not is_allowed([], "ANY", "10.0.0.1")
    assert not may_connect([], "no address")
