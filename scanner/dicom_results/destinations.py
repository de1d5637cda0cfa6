"""How destinations are named and trusted, told without loading what speaks to them."""

from __future__ import annotations

import ssl
from pathlib import Path

from cxrscan.scanner.errors import CxrscanError


def parse_entity(text: str) -> tuple[str, str, int]:
    """``PACS@10.0.0.5:104`` -> title, host, port.

    Raises
    ------
    ValueError
        The text is of another form; a title has up to 16 ASCII characters without backslash (VR AE, PS3.5 section 6.2).
    """
    title, _, place = text.rpartition("@")
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (is_entity_title(title) and host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(text)
    return title, host, int(port)


def is_entity_title(text: str) -> bool:
    """Whether a text can be an application entity's title: VR AE, PS3.5 section 6.2."""
    return bool(text.strip()) and len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """How to speak TLS (PS3.15 section B); the other side's certificate is always checked.

    Parameters
    ----------
    ca
        Certificates to trust; None for the system's.
    certificate, key
        Our own, where the other side asks for one.

    Raises
    ------
    CxrscanError
        ``tls-invalid``.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CxrscanError("tls-invalid", f"The certificates cannot be used: {error}.") from error
    return context
