"""Who may send: application entity titles with their addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cxrscan.scanner.dicom_results.destinations import is_entity_title

ANY_TITLE = "*"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """One entry of the allow-list."""

    title: str
    """Application entity title, or ``*`` for any."""
    network: Network
    """One address, or a network of them."""

    @classmethod
    def parse(cls, text: str) -> Caller:
        """``CR-ROOM1@10.0.0.17`` or ``*@10.0.0.0/24`` -> entry.

        Raises
        ------
        ValueError
            The text is of another form.
        """
        title, _, address = text.rpartition("@")
        if not is_entity_title(title):
            raise ValueError(text)
        return cls(title.strip(), ipaddress.ip_network(address.strip("[]")))

    def is_it(self, title: str, address: str) -> bool:
        """Whether a caller is this one."""
        return self.title in (ANY_TITLE, title.strip()) and _address(address) in self.network


def is_allowed(callers: Sequence[Caller], title: str, address: str) -> bool:
    """Whether a caller may send; without a list, anybody on this computer may."""
    if not callers:
        return is_loopback(address)
    return any(caller.is_it(title, address) for caller in callers)


def may_connect(callers: Sequence[Caller], address: str) -> bool:
    """Whether anybody at an address may send."""
    if not callers:
        return is_loopback(address)
    return any(_address(address) in caller.network for caller in callers)


def is_loopback(address: str) -> bool:
    """Whether an address is that of this computer itself."""
    return address == "localhost" or _address(address).is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address: IPv4 that came over IPv6 as the IPv4 that it is, no address at all as one that is in no list."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ipaddress.ip_address("0.0.0.0")  # noqa: S104  # listens nowhere: it is no caller's address
    return getattr(address, "ipv4_mapped", None) or address
