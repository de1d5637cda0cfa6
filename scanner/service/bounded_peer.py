"""pynetdicom's parts of an association, made safe against callers who send too much, too slowly, or nothing.

The library reads whatever length a caller announces and keeps each object in memory; its server waits for the TLS
handshake of one caller while all others wait. These parts bound that; the protocol itself stays the library's.
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from socketserver import TCPServer
from typing import Any, cast

from pynetdicom import AE, evt
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import A_ASSOCIATE, P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS
from cxrscan.scanner.service.callers import Caller, is_allowed, may_connect

MOST_PDU_BYTES = 1 << 20
"""Longest protocol data unit that is read; the longest that callers are told to send is shorter."""
_MOST_COMMAND_BYTES = 1 << 16
_MOST_SILENT = 16
_PIECE_BYTES = 1 << 16
#: Result, source and reason of a refusal: PS3.8 table 9-21.
_UNKNOWN_CALLER = (0x01, 0x01, 0x03)
_TOO_MANY = (0x02, 0x03, 0x02)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What callers may take."""

    callers: tuple[Caller, ...] = ()
    max_associations: int = 20
    max_object_bytes: int = 256 << 20
    max_held_bytes: int = 1 << 30
    """Memory for all objects that are being received."""
    timeout_s: float = 30.0
    """For silence, in the middle of anything."""


class Held:
    """Bytes in memory of all objects that are being received."""

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._n_bytes = 0

    def take(self, n_bytes: int) -> bool:
        """Take memory; whether there is so much."""
        with self._lock:
            if self._n_bytes + n_bytes > self._max_bytes:
                return False
            self._n_bytes += n_bytes
            return True

    def release(self, n_bytes: int) -> None:
        """Give memory back."""
        with self._lock:
            self._n_bytes -= n_bytes

    @property
    def n_bytes(self) -> int:
        """How much is taken."""
        return self._n_bytes


class BoundedMessages(DIMSEServiceProvider):
    """Puts messages together; of an object that is too large it keeps nothing, and refuses it when it ends."""

    def __init__(self, association: Association, server: BoundedServer) -> None:
        super().__init__(association)
        self._server = server
        self._bounds = server.bounds
        self._held = server.held
        self._n_message_bytes = self._n_held_bytes = self._n_command_bytes = 0
        self._is_dropping = False
        self.is_storing = False
        """Whether an object is being written."""
        self.refused: set[int] = set()
        """IDs of messages whose object was too large."""

    @property
    def is_receiving(self) -> bool:
        """Whether an object has begun and not ended."""
        return self._n_message_bytes > 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take a piece of a message; one that makes no sense ends the association."""
        try:
            with quiet_pydicom():
                self._receive(primitive)
        except PYDICOM_ERRORS:
            self.dul.event_queue.put("Evt19")  # PS3.8 table 9-10: unrecognised or invalid
            self.release()

    def _receive(self, primitive: P_DATA) -> None:
        if self.message is None and self._server.is_closing:
            raise ValueError("nothing further is taken")
        pieces: list[Any] = []  # the library asks for lists, and says tuples
        for context, piece in primitive.presentation_data_value_list:
            if piece[0] & 1:
                self._n_command_bytes += len(piece)
            elif not self._takes(len(piece) - 1):
                piece = piece[:1]  # its header: the protocol goes on
            pieces.append([context, piece])
        if self._n_command_bytes > _MOST_COMMAND_BYTES:
            raise ValueError("longer than any command may be")
        primitive.presentation_data_value_list = pieces
        if self._is_dropping and self.message is not None:
            self.message.data_set = BytesIO()
            self.refused.add(int(self.message.command_set.get("MessageID", -1)))
        super().receive_primitive(primitive)
        if self.message is None:  # it is complete
            self._n_message_bytes = self._n_command_bytes = 0
            self._is_dropping = False

    def _takes(self, n_bytes: int) -> bool:
        """Whether the next bytes of an object are kept."""
        self._n_message_bytes += max(1, n_bytes)
        if self._is_dropping:
            return False
        if self._n_message_bytes > self._bounds.max_object_bytes or not self._held.take(n_bytes):
            self._is_dropping = True
            self.release(self._n_message_bytes - max(1, n_bytes))
            return False
        self._n_held_bytes += n_bytes
        return True

    def release(self, n_bytes: int | None = None) -> None:
        """Give back memory of an object, or of all that this association holds."""
        n_bytes = self._n_held_bytes if n_bytes is None else min(n_bytes, self._n_held_bytes)
        self._n_held_bytes -= n_bytes
        self._held.release(n_bytes)


class Doorkeeper(ACSE):
    """Negotiates associations, and refuses callers who are not on the list, or are too many."""

    server: BoundedServer

    def _negotiate_as_acceptor(self) -> None:
        asked = cast(A_ASSOCIATE, self.requestor.primitive)
        bounds = self.server.bounds
        refusal = None
        if not is_allowed(bounds.callers, asked.calling_ae_title, address_of(self.assoc)):
            refusal = _UNKNOWN_CALLER
        elif self.server.n_associations >= bounds.max_associations:
            refusal = _TOO_MANY
        if refusal is None:
            super()._negotiate_as_acceptor()
            return
        self.send_reject(*refusal)
        evt.trigger(self.assoc, evt.EVT_REJECTED, {})
        self.assoc.kill()


class BoundedSocket(AssociationSocket):
    """Reads no unit that is longer than any that a caller may send."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer where the connection ends."""
        if nr_bytes > MOST_PDU_BYTES:
            raise OSError("longer than any unit may be")
        data = bytearray()
        while len(data) < nr_bytes:
            piece = cast(socket.socket, self.socket).recv(min(_PIECE_BYTES, nr_bytes - len(data)))
            if not piece:
                break
            data += piece
        return data


class BoundedHandler(RequestHandler):
    """Makes the association of a new connection, in a thread of its own."""

    server: BoundedServer

    def handle(self) -> None:
        """Shake hands where TLS is spoken, then begin."""
        self.request.settimeout(self.server.bounds.timeout_s)
        if self.server.tls is not None:
            try:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            except OSError:
                self.server.shutdown_request(self.request)
                return
        super().handle()

    def _create_association(self) -> Association:
        association = super()._create_association()
        association.dul.socket.__class__ = BoundedSocket  # it adds no state, and the library takes no other socket
        association.acceptor.supported_contexts = self.server.shared_contexts
        association.dimse = BoundedMessages(association, self.server)
        association.acse = Doorkeeper(association)
        association.acse.server = self.server
        self.server.admit(association, self.request)
        return association


class BoundedServer(ThreadedAssociationServer):
    """Listens; drops connections from where nobody may send, and the oldest silent one where there are many."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        entity: AE,
        address: tuple[str, int],
        bounds: Bounds,
        tls: ssl.SSLContext | None,
        handlers: list[evt.EventHandlerType],
        on_trouble: Callable[[str, str], None],
    ) -> None:
        self.bounds, self.tls = bounds, tls
        self.held = Held(bounds.max_held_bytes)
        self._on_trouble = on_trouble
        self.is_closing = False
        self.shared_contexts = entity.supported_contexts
        """What is taken; the library only reads them."""
        self._open: list[tuple[Association, socket.socket]] = []
        self._opening = threading.Lock()
        super().__init__(
            entity,
            address,
            entity.ae_title,
            [],  # each association would copy them, in a third of a second
            evt_handlers=handlers,
            request_handler=BoundedHandler,
        )

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to take a connection."""
        if not may_connect(self.bounds.callers, client_address[0]):
            self._on_trouble("caller-unknown", f"A connection from {client_address[0]} was refused.")
            return False
        with self._opening:
            silent = [connection for association, connection in self._alive() if _is_silent(association)]
        for connection in silent[: max(0, len(silent) + 1 - _MOST_SILENT)]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return True

    def shutdown(self) -> None:
        """Listen no longer; associations go on until the message that has begun is answered."""
        self.is_closing = True
        TCPServer.shutdown(self)
        self.server_close()

    def admit(self, association: Association, connection: socket.socket) -> None:
        """Note a connection that is about to begin."""
        with self._opening:
            self._open = [*self._alive(), (association, connection)]

    def _alive(self) -> list[tuple[Association, socket.socket]]:
        return [each for each in self._open if each[0].is_alive() or each[0].ident is None]

    @property
    def open_associations(self) -> Sequence[Association]:
        """Connections that have not ended."""
        return [association for association, _ in self._alive()]

    @property
    def n_associations(self) -> int:
        """Associations that are established."""
        return sum(association.is_established for association in self.open_associations)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a connection that broke off; anything else is a bug."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._on_trouble("internal-error", f"A connection could not be served: {type(error).__name__}.")


def address_of(association: Association) -> str:
    """Where a caller is."""
    found = association.requestor.address_info
    return found.address if found is not None else ""


def _is_silent(association: Association) -> bool:
    """Whether a caller has connected and asked for nothing."""
    return association.ident is not None and association.requestor.primitive is None
