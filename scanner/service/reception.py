"""Films that callers send over the network: C-STORE and C-ECHO (PS3.4 annexes A and B)."""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

from cxrscan.scanner.errors import CxrscanError, RunFolderError
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS
from cxrscan.scanner.run import Session
from cxrscan.scanner.service.audit import AuditEntry, AuditLog
from cxrscan.scanner.service.bounded_peer import BoundedMessages, BoundedServer, Bounds, address_of
from cxrscan.scanner.service.clock import SteadyClock
from cxrscan.scanner.service.desk import Desk
from cxrscan.scanner.service.folder_arrivals import FolderArrivals
from cxrscan.scanner.service.inbox import Inbox
from cxrscan.scanner.system.uids import is_uid

_SUCCESS, _INVALID_UID, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0x0117, 0xA700, 0xC000
_VERIFICATION = "1.2.840.10008.1.1"
_PDU_BYTES = 1 << 17
_FINISH_S = 20.0
_LOOK_EVERY_S = 0.05
_STILL_LISTENING_S = 1.0
#: A few bytes packed in it would be gigabytes: it is not taken.
_SYNTAXES = [syntax for syntax in ALL_TRANSFER_SYNTAXES if syntax != DeflatedExplicitVRLittleEndian]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and as whom."""

    title: str = "CXRSCAN"
    host: str = "127.0.0.1"
    port: int = 11112
    tls: ssl.SSLContext | None = None


class Reception:
    """Takes objects from the network, and answers each once it lies safely on the disk.

    Parameters
    ----------
    max_per_s
        Objects a second beyond which answers are held back; 0 for no limit.
    """

    n_moving = 0

    def __init__(
        self,
        address: Address,
        bounds: Bounds,
        inbox: Inbox,
        audit: AuditLog,
        clock: SteadyClock,
        *,
        max_per_s: float = 0.0,
    ) -> None:
        self._address = address
        self._bounds = bounds
        self._inbox = inbox
        self._audit = audit
        self._earlier = FolderArrivals(inbox.films, clock, rest_s=0.0, every_s=1.0)
        self._pace = _Pace(max_per_s)
        self._is_over = Event()
        self._has_ended = Event()
        self._server = self._listen()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def n_connections(self) -> int:
        """Connections that are open."""
        return len(self._server.open_associations)

    def open(self, session: Session) -> None:
        """Get ready, in the thread that the journal belongs to."""
        self._audit.open(session.journal)

    def run(self, desk: Desk) -> None:
        """Take objects until ``stop``, and look for those that an earlier start has taken and noted nowhere."""
        self._desk = desk
        listening = Thread(target=self._server.serve_forever, args=(0.5,), name="listening", daemon=True)
        listening.start()
        self._earlier.look(desk)
        while not self._is_over.wait(_STILL_LISTENING_S):
            if not listening.is_alive():
                raise RuntimeError("nobody listens any more")
        self._server.shutdown()
        listening.join()
        self._end_associations()
        self._has_ended.set()

    def stop(self) -> None:
        """Listen no longer, finish the objects that have begun, and end."""
        self._is_over.set()
        self._earlier.stop()
        self._has_ended.wait(2 * _FINISH_S)

    def _listen(self) -> BoundedServer:
        """Take the port; nobody is answered before ``run``."""
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # its lines quote objects
        entity = AE(self._address.title)
        entity.require_called_aet = True
        entity.maximum_associations = 1_000_000  # the doorkeeper counts those that are established
        entity.maximum_pdu_size = _PDU_BYTES
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self._bounds.timeout_s
        entity.add_supported_context(_VERIFICATION)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), _SYNTAXES)
        host, port = self._address.host, self._address.port
        try:
            return BoundedServer(
                entity,
                (host, port),
                self._bounds,
                self._address.tls,
                [
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_REJECTED, self._on_rejected),
                    (evt.EVT_CONN_CLOSE, self._on_closed),
                ],
                self._on_trouble,
            )
        except OSError as error:
            raise CxrscanError("port-taken", f"{host}:{port} cannot be listened on: {error.strerror}.") from error

    def _end_associations(self) -> None:
        """Let objects that have begun arrive, then end all associations."""
        deadline_s = time.monotonic() + _FINISH_S
        while any(_is_busy(each) for each in self._server.open_associations) and time.monotonic() < deadline_s:
            time.sleep(_LOOK_EVERY_S)
        for association in self._server.open_associations:
            association.abort(block=False)

    # -- what callers do

    def _store(self, event: Any) -> int:
        """Take an object; what is answered (PS3.4 table B.2-1)."""
        messages: BoundedMessages = event.assoc.dimse
        messages.is_storing = True
        try:
            with quiet_pydicom():
                return self._take(event, messages)
        finally:
            messages.is_storing = False

    def _take(self, event: Any, messages: BoundedMessages) -> int:
        request = event.request
        dataset = request.DataSet.getvalue()
        try:
            if request.MessageID in messages.refused:
                messages.refused.discard(request.MessageID)
                self._desk.events.trouble("too-large", "An object is too large, or too many came at once.")
                return self._answer(event, _OUT_OF_RESOURCES, len(dataset))
            if not (is_uid(request.AffectedSOPInstanceUID or "") and is_uid(request.AffectedSOPClassUID or "")):
                self._desk.events.trouble("no-reference", "An object has no valid identifier.")
                return self._answer(event, _INVALID_UID, len(dataset))
            return self._keep(event, dataset)
        finally:
            messages.release(len(dataset))

    def _keep(self, event: Any, dataset: bytes) -> int:
        self._pace.wait(self._is_over)
        try:
            meta = _file_meta(event)
        except PYDICOM_ERRORS:
            return self._answer(event, _CANNOT_UNDERSTAND, len(dataset))
        if not self._inbox.has_room(len(dataset)):
            self._desk.events.trouble("output-unwritable", "The disk is full: an object was refused.")
            return self._answer(event, _OUT_OF_RESOURCES, len(dataset))
        try:
            film = self._inbox.keep(meta, str(event.context.transfer_syntax), dataset)
            self._desk.receive(film)
            self._audit.write(_entry(event, _SUCCESS, len(dataset), film.name))
        except (OSError, RunFolderError) as error:
            why = getattr(error, "strerror", None) or getattr(error, "message", "")
            self._desk.events.trouble("output-unwritable", f"An object could not be kept: {why}.")
            return _OUT_OF_RESOURCES
        self._desk.events.note("received")
        return _SUCCESS

    def _answer(self, event: Any, status: int, n_bytes: int) -> int:
        """Note that an object was not taken."""
        self._desk.events.note("refused")
        try:
            self._audit.write(_entry(event, status, n_bytes, ""))
        except OSError as error:
            self._desk.events.trouble("output-unwritable", f"The audit log cannot be written: {error.strerror}.")
        return status

    def _on_rejected(self, event: Any) -> None:
        requestor = event.assoc.requestor
        self._on_trouble("caller-unknown", f"{requestor.ae_title} at {address_of(event.assoc)} was refused.")

    def _on_trouble(self, code: str, message: str) -> None:
        self._desk.events.note("rejected_callers")
        self._desk.events.trouble(code, message)

    def _on_closed(self, event: Any) -> None:
        event.assoc.dimse.release()


class _Pace:
    """Holds back who comes faster than so many times a second; for several threads."""

    def __init__(self, max_per_s: float) -> None:
        self._every_s = 1.0 / max_per_s if max_per_s else 0.0
        self._lock = Lock()
        self._next_s = 0.0

    def wait(self, is_over: Event) -> None:
        """Wait for one's turn."""
        if not self._every_s:
            return
        with self._lock:
            now_s = time.monotonic()
            turn_s = self._next_s = max(now_s, self._next_s + self._every_s)
        is_over.wait(turn_s - now_s)


def _is_busy(association: Any) -> bool:
    """Whether an object of an association has begun and is not answered."""
    messages: BoundedMessages = association.dimse
    has_begun = messages.is_receiving or messages.is_storing or not messages.msg_queue.empty()
    return bool(association.is_established and has_begun)


def _file_meta(event: Any) -> bytes:
    """Preamble and file meta information of a received object (PS3.10 section 7.1)."""
    stream = DicomBytesIO()
    stream.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(stream, event.file_meta, enforce_standard=True)
    return bytes(stream.getvalue())


def _entry(event: Any, status: int, n_bytes: int, file: str) -> AuditEntry:
    request, requestor = event.request, event.assoc.requestor
    return AuditEntry(
        caller=str(requestor.ae_title),
        address=str(address_of(event.assoc)),
        sop_class=str(request.AffectedSOPClassUID),
        sop_uid=str(request.AffectedSOPInstanceUID),
        status=status,
        size_bytes=n_bytes,
        file=file,
    )
