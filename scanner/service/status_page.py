"""A small web server for the status: page, JSON, health and metrics; it only tells, and takes no orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.service.status import ServiceStatus, metrics, page

_TIMEOUT_S = 10.0
_MOST_AT_ONCE = 32


class StatusPage(ThreadingHTTPServer):
    """Answers GET for ``/``, ``/status.json``, ``/health`` and ``/metrics``.

    Parameters
    ----------
    status
        Gives the status now.
    ailment
        Says what is wrong with the service; empty when it works.

    Raises
    ------
    CxrscanError
        ``port-taken``.
    """

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], status: Callable[[], ServiceStatus], ailment: Callable[[], str]
    ) -> None:
        self._status = status
        self._ailment = ailment
        self._n_open = 0
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            where = f"{address[0]}:{address[1]}"
            raise CxrscanError("port-taken", f"{where} cannot be listened on: {error.strerror}.") from error

    def answer(self, path: str) -> tuple[int, str, str]:
        """HTTP status, type and text for a path."""
        if path == "/health":
            ailment = self._ailment()
            return (503, "text/plain", f"{ailment}\n") if ailment else (200, "text/plain", "ok\n")
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4", metrics(self._status())
        if path == "/status.json":
            return 200, "application/json", json.dumps(asdict(self._status()))
        if path == "/":
            return 200, "text/html", page(self._status())
        return 404, "text/plain", "not found\n"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no more connections at once than a few."""
        return self._n_open < _MOST_AT_ONCE

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Count a connection while it is answered."""
        self._n_open += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._n_open -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a connection that broke off."""


class _Handler(BaseHTTPRequestHandler):
    server: StatusPage
    timeout = _TIMEOUT_S
    server_version, sys_version = "cxrscan", ""

    def do_GET(self) -> None:  # the library's name
        code, kind, text = self.server.answer(self.path.partition("?")[0])
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind == "text/html" else kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Write nothing."""
