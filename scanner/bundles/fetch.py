"""Files from web servers, by https alone: no further than they may reach, no longer than they may take."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import urlsplit

from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.system.addresses import without_secrets

SILENCE_S = 30.0
"""Longest time without a byte."""
DOWNLOAD_S = 1800.0
"""Longest time for one file: the largest bundle at 150 kB/s."""
_PIECE_BYTES = 1 << 16


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but to https only."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request that a redirection leads to."""
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError("the server redirects to something else than https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Opens https, by a proxy where the environment names one; no ``file:``, ``ftp:`` or ``data:``."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpsOnly(),
    ):
        opener.add_handler(handler)
    return opener


def fetch(address: str, max_bytes: int, *, timeout_s: float = DOWNLOAD_S) -> bytes:
    """Bytes of a file on a web server.

    Parameters
    ----------
    address
        Begins with ``https://``.
    max_bytes
        No more is read.
    timeout_s
        Longest time in all, also for a server that sends its answer byte by byte.

    Raises
    ------
    BundleError
        ``download-failed``
    """
    if urlsplit(address).scheme != "https":
        raise _failed(address, "only https is taken")
    got: list[bytes | BundleError] = []
    # Timeouts of sockets begin anew with each byte. So another thread waits for bytes, and this one for that thread.
    thread = threading.Thread(target=lambda: got.append(_read(address, max_bytes)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not got:
        raise _failed(address, f"it took longer than {timeout_s:.0f} s")
    if isinstance(got[0], BundleError):
        raise got[0]
    return got[0]


def _read(address: str, max_bytes: int) -> bytes | BundleError:
    try:
        with _opener().open(address, timeout=SILENCE_S) as answer:
            data = bytearray()
            while piece := answer.read(_PIECE_BYTES):
                data += piece
                if len(data) > max_bytes:
                    return _failed(address, f"it is larger than {max_bytes / 1e6:.0f} MB")
            return bytes(data)
    except urllib.error.HTTPError as error:
        error.close()
        return _failed(address, f"the server answers {error.code}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        told = "no answer in time" if isinstance(reason, (TimeoutError, socket.timeout)) else str(reason)
        return _failed(address, told)


def _failed(address: str, problem: str) -> BundleError:
    return BundleError("download-failed", f"{without_secrets(address)} cannot be fetched: {problem[:200]}.")
