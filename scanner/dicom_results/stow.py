"""Send objects to a DICOMweb server by STOW-RS (PS3.18 section 10.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset

from cxrscan.scanner.dicom_results.outgoing import Delivery, Outgoing
from cxrscan.scanner.readers.dicom import quiet_pydicom
from cxrscan.scanner.readers.dicom_header import PYDICOM_ERRORS

#: Objects and bytes of one request.
_MAX_OBJECTS, _MAX_BYTES = 16, 30_000_000
#: HTTP answers after which trying again may help, beside all from 500 on.
_PASSING = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class WebStore:
    """A DICOMweb server that stores; ``url`` is its root, in front of ``/studies``."""

    url: str = field(repr=False)
    shown: str
    """The URL without what may be secret."""
    session: requests.Session = field(repr=False)
    timeout_s: float = 30.0

    def __str__(self) -> str:
        return self.shown

    def deliver(self, objects: Sequence[Outgoing]) -> Iterator[Delivery]:
        """Send objects, several in a request."""
        client = DICOMwebClient(self.url, session=self.session, timeout=self.timeout_s)
        client.set_http_retry_params(retry=False)  # the caller waits longer, and tells
        for batch in _batches(objects):
            yield from self._store(client, batch)

    def _store(self, client: DICOMwebClient, batch: Sequence[Outgoing]) -> Iterator[Delivery]:
        readable, datasets = [], []
        for outgoing in batch:
            try:
                with quiet_pydicom():
                    datasets.append(outgoing.read())
                readable.append(outgoing)
            except PYDICOM_ERRORS as error:
                yield Delivery(outgoing, f"the file cannot be read ({type(error).__name__})")
        if not readable:
            return
        problem, may_pass, refused = self._post(client, datasets)
        for outgoing in readable:
            own = refused.get(outgoing.sop_uid, "")
            yield Delivery(outgoing, own or problem, may_pass and not own)

    def _post(self, client: DICOMwebClient, datasets: Sequence[Dataset]) -> tuple[str, bool, dict[str, str]]:
        """Send one request: a problem of all objects, whether it may pass, and problems of single ones."""
        try:
            with quiet_pydicom():
                return "", False, _refused(client.store_instances(datasets))
        except requests.HTTPError as error:
            return self._refusal(error.response)
        except requests.RequestException as error:
            return f"{self} cannot be reached, or does not answer ({type(error).__name__})", True, {}
        except PYDICOM_ERRORS as error:  # what it answers is not what the standard says
            return f"{self} gives an answer that cannot be understood ({type(error).__name__})", False, {}

    def _refusal(self, response: requests.Response | None) -> tuple[str, bool, dict[str, str]]:
        """What an answer that is no success means, in the form of ``_post``."""
        if response is None:
            return f"{self} gives no answer", True, {}
        status = response.status_code
        return f"{self} answers with HTTP status {status}", status >= 500 or status in _PASSING, _refused_in(response)


def _batches(objects: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    for outgoing in objects:
        is_full = len(batch) == _MAX_OBJECTS or sum(o.size_bytes for o in batch) + outgoing.size_bytes > _MAX_BYTES
        if batch and is_full:
            yield batch
            batch = []
        batch.append(outgoing)
    if batch:
        yield batch


def _refused(answer: Dataset) -> dict[str, str]:
    """SOP Instance UID -> why it was refused: Failed SOP Sequence, PS3.3 section C.12.2.1."""
    return {
        str(item.get("ReferencedSOPInstanceUID")): f"refused with reason {item.get('FailureReason', 0):04X}"
        for item in answer.get("FailedSOPSequence", ())
    }


def _refused_in(response: requests.Response) -> dict[str, str]:
    """The same from an answer that refuses them all."""
    try:
        return _refused(Dataset.from_json(response.json()))
    except PYDICOM_ERRORS:
        return {}
