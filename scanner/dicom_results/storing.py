"""Send objects to an application entity by C-STORE (PS3.4 annex B), over few associations."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from cxrscan.scanner.dicom_results.outgoing import Delivery, Outgoing
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS

_NATIVE: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_SUCCESS = 0x0000
_WARNINGS = range(0xB000, 0xC000)  # stored, with a remark (PS3.4 table B.2-1)
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
#: What the other side's status means: PS3.4 table B.2-1, PS3.7 annex C.
_STATUSES = {
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    **dict.fromkeys(_OUT_OF_RESOURCES, "out of resources"),
    **dict.fromkeys(range(0xA900, 0xAA00), "object does not match its SOP class"),
    **dict.fromkeys(range(0xC000, 0xD000), "cannot understand the object"),
}
#: Associations that ended on their first object one after another; then the other side is taken to be ill.
_MOST_DROPS = 3
#: Associations side by side, and the fewest objects for which another one is worth while.
_MOST_ASSOCIATIONS, _LEAST_SHARE = 4, 8


@dataclass(frozen=True, slots=True)
class StorageEntity:
    """An application entity that stores: ``AET@HOST:PORT``."""

    title: str
    host: str
    port: int
    calling_title: str = "CXRSCAN"
    timeout_s: float = 30.0
    """For connecting, for each answer, and for silence."""
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"

    def deliver(self, objects: Sequence[Outgoing]) -> Iterator[Delivery]:
        """Send objects over few associations side by side: one alone mostly waits."""
        n_shares = min(_MOST_ASSOCIATIONS, -(-len(objects) // _LEAST_SHARE))
        shares = [list(objects[number::n_shares]) for number in range(n_shares)]
        told: SimpleQueue[Delivery | None] = SimpleQueue()
        is_over = Event()

        def send(share: list[Outgoing]) -> None:
            try:
                for delivery in self._send(share):
                    told.put(delivery)
                    if is_over.is_set():
                        return
            finally:
                told.put(None)

        with ThreadPoolExecutor(max(1, n_shares)) as senders:
            sending = [senders.submit(send, share) for share in shares]
            try:
                for _ in shares:
                    yield from iter(told.get, None)
            finally:
                is_over.set()
        for done in sending:
            done.result()  # raises what went wrong

    def _send(self, waiting: list[Outgoing]) -> Iterator[Delivery]:
        """Send objects over one association; when it is dropped, the rest over another."""
        n_drops = 0
        while waiting:
            association = self._associate(waiting)
            if not association.is_established:
                problem, may_pass = _refusal(association, self)
                yield from (Delivery(outgoing, problem, may_pass) for outgoing in waiting)
                return
            n_before = len(waiting)
            try:
                while waiting and association.is_established:
                    yield _store(association, waiting.pop(0))
            finally:
                if association.is_established:
                    association.release()
            n_drops = n_drops + 1 if n_before - len(waiting) == 1 and waiting else 0
            if n_drops == _MOST_DROPS:
                yield from (Delivery(outgoing, "the association was dropped", may_pass=True) for outgoing in waiting)
                return

    def _associate(self, objects: Sequence[Outgoing]) -> Association:
        """Ask for the contexts that these objects need, and for no others."""
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its lines quote objects; we tell each ourselves
        entity = AE(self.calling_title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self.timeout_s
        entity.connection_timeout = self.timeout_s
        tls = None if self.tls is None else (self.tls, self.host)
        with quiet_pydicom():
            entity.requested_contexts = [
                build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in sorted(_contexts(objects))
            ]
            return entity.associate(self.host, self.port, ae_title=self.title, tls_args=tls)


def _contexts(objects: Sequence[Outgoing]) -> set[tuple[str, tuple[str, ...]]]:
    """SOP classes and transfer syntaxes: one pair for each compressed one, as a context is accepted in one syntax."""
    return {(outgoing.sop_class, _syntaxes(outgoing)) for outgoing in objects}


def _syntaxes(outgoing: Outgoing) -> tuple[str, ...]:
    """The transfer syntaxes that an object can be sent in: what is not compressed in either native one."""
    return _NATIVE if outgoing.syntax in _NATIVE else (outgoing.syntax,)


def _is_taken(association: Association, outgoing: Outgoing) -> bool:
    return any(
        context.abstract_syntax == outgoing.sop_class and context.transfer_syntax[0] in _syntaxes(outgoing)
        for context in association.accepted_contexts
    )


def _store(association: Association, outgoing: Outgoing) -> Delivery:
    if not _is_taken(association, outgoing):
        what = f"{UID(outgoing.sop_class).name} in {UID(outgoing.syntax).name}"
        return Delivery(outgoing, f"the other side takes no {what}")
    try:
        with quiet_pydicom():
            answer: Dataset = association.send_c_store(outgoing.read())
    except OSError as error:
        return Delivery(outgoing, f"the file cannot be read: {error.strerror or error}")
    except RuntimeError:  # dropped in this moment
        return Delivery(outgoing, "the association was dropped", may_pass=True)
    except PYDICOM_ERRORS as error:
        return Delivery(outgoing, f"the object cannot be encoded as the other side wants it ({type(error).__name__})")
    status = answer.get("Status")
    if status is None:
        return Delivery(outgoing, "no answer, or the association was dropped", may_pass=True)
    if status == _SUCCESS or status in _WARNINGS:
        return Delivery(outgoing)
    problem = f"refused with status {status:04X} ({_STATUSES.get(status, 'failure')})"
    return Delivery(outgoing, problem, may_pass=status in _OUT_OF_RESOURCES)


def _refusal(association: Association, entity: StorageEntity) -> tuple[str, bool]:
    """Why there is no association, and whether trying again may help."""
    if association.is_rejected:
        said = association.acceptor.primitive
        reason = said.reason_str.rstrip(".").lower() if said is not None else "no reason given"
        is_permanent = said is not None and said.result == 1
        return f"{entity} refuses the association: {reason}", not is_permanent
    if association.acceptor.primitive is not None:
        return f"{entity} takes none of these kinds of object", False
    return f"{entity} cannot be reached, or does not answer", True
