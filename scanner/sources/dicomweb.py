"""Films in a PACS that speaks DICOMweb: found by QIDO-RS, read by WADO-RS (PS3.18 sections 10.6 and 10.4).

Nothing that speaks HTTP is imported before such a place is opened.
"""

from __future__ import annotations

import errno
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from cxrscan.scanner.errors import CxrscanError, RunFolderError
from cxrscan.scanner.records import ImageSource
from cxrscan.scanner.sources.filters import Reason, Rules
from cxrscan.scanner.sources.names import shown
from cxrscan.scanner.sources.remote import MAX_FILM_BYTES, OwnWordsError, patiently
from cxrscan.scanner.system.addresses import names_server, shown_address
from cxrscan.scanner.system.uids import is_uid

if TYPE_CHECKING:
    import requests
    from dicomweb_client import DICOMwebClient

#: Asked for where the address names no modality: the two of projection radiography.
_MODALITIES = ("CR", "DX")
#: Matches of one request, and the fewest that a server may be thought to stop at on its own.
_PAGE, _LEAST_CAP = 500, 20
#: Series whose instances are asked for at once.
_ASKED_AT_ONCE = 8
_TIMEOUT_S = 30.0
_PIECE_BYTES = 1 << 16
#: Of a search: a page of 500 matches takes less than 1 MiB.
_MAX_ANSWER_BYTES = 32 << 20
#: Compressing a film anew for the way costs the server more than sending it.
_AS_STORED = {
    "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*',
    "Accept-Encoding": "identity",
}
_TOKEN = "CXRSCAN_DICOMWEB_TOKEN"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_STUDIES = re.compile(r"(?P<base>.*)/studies(/(?P<study>[^/]+)(/series/(?P<series>[^/]+))?)?/?")
_DATES = re.compile(r"\d{8}|\d{8}-(\d{8})?|-\d{8}")  # range matching, PS3.4 section C.2.2.2.5
_MODALITY = re.compile(r"[A-Z]{2,16}")
_STUDY, _SERIES, _SOP = "0020000D", "0020000E", "00080018"


@dataclass(frozen=True, slots=True)
class WebArchive:
    """A DICOMweb server's films, all or those of a study, a series, a span of dates, some modalities."""

    url: str = field(repr=False)
    """Root of the services, in front of ``/studies``; without user and password."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    study: str = ""
    series: str = ""
    dates: str = ""
    """Study Date as QIDO-RS matches it: ``20260101`` or ``20260101-20260131``, either end open."""
    modalities: tuple[str, ...] = _MODALITIES

    may_repeat = False
    """Films are called by their identifiers."""

    @staticmethod
    def is_address(text: str) -> bool:
        """Whether a command line argument names such a place: ``dicomweb://…``, or ``http(s)://…/studies…``."""
        try:
            parts = urlsplit(text)
        except ValueError:  # whoever opens the place tells of it
            return text.startswith("dicomweb:")
        is_web = parts.scheme in {"http", "https"} and _STUDIES.fullmatch(parts.path) is not None
        return parts.scheme == "dicomweb" or (is_web and not parts.path.endswith("/"))

    @classmethod
    def parse(cls, text: str) -> WebArchive:
        """Read an address.

        Raises
        ------
        RunFolderError
            ``place-unreadable``: it names no server, or asks for something else than dates, modalities, a study or a
            series.
        """
        if not names_server(text):
            raise RunFolderError("place-unreadable", f"{shown_address(text)} is no address of a server.")
        parts = urlsplit(text)
        place = parts.netloc.rpartition("@")[2]
        scheme = parts.scheme
        if scheme == "dicomweb":  # as DICOM over HTTP means it: encrypted, but on this machine
            scheme = "http" if place.rpartition(":")[0] in _LOOPBACK or place in _LOOPBACK else "https"
        match = _STUDIES.fullmatch(parts.path)
        base, study, series = (
            (match["base"], match["study"] or "", match["series"] or "") if match else (parts.path.rstrip("/"), "", "")
        )
        asked = {"study": study, "series": series, **_filters(parts.query, f"{scheme}://{place}")}
        if not all(is_uid(uid) for uid in (study, series) if uid):
            raise RunFolderError("place-unreadable", f"{scheme}://{place}: a study or series is named by its UID.")
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(f"{scheme}://{place}{base}", login, **asked)

    def __str__(self) -> str:
        """The address without user and password, all its filters in one order."""
        path = "".join(f"/{part}/{uid}" for part, uid in (("studies", self.study), ("series", self.series)) if uid)
        query = [f"StudyDate={self.dates}"] if self.dates else []
        query += [f"Modality={','.join(self.modalities)}"] if self.modalities != _MODALITIES else []
        return f"{self.url}{path or '/studies'}{'?' if query else ''}{'&'.join(query)}"

    @property
    def name(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""

    def resolve(self) -> WebArchive:
        """The archive itself: its address is absolute."""
        return self

    def is_dir(self) -> bool:
        """It holds films as a folder does."""
        return True

    def instances(self, on_invalid: Callable[[str], None]) -> Iterator[InstancePath]:
        """Find the films, the instances of several series side by side; in the order that the server gives them.

        Parameters
        ----------
        on_invalid
            Called with the answer's text for what has no valid UIDs.

        Raises
        ------
        RunFolderError
            ``place-unreadable``.
        CxrscanError
            ``extra-missing``.
        """
        client = _client(self)
        waiting: deque[Future[list[InstancePath]]] = deque()
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as askers:
            try:
                for study, series in self._series(client, on_invalid):
                    waiting.append(askers.submit(self._of_series, client, study, series))
                    if len(waiting) > _ASKED_AT_ONCE:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            except OSError as error:
                raise RunFolderError("place-unreadable", f"{self} cannot be searched: {error.strerror}.") from error
            finally:
                askers.shutdown(cancel_futures=True)

    def _series(self, client: DICOMwebClient, on_invalid: Callable[[str], None]) -> Iterator[tuple[str, str]]:
        if self.series:
            yield self.study, self.series
            return
        for modality in self.modalities:
            filters = {"Modality": modality, **({"StudyDate": self.dates} if self.dates else {})}
            search = _searching(client.search_for_series, self.study or None, search_filters=filters)
            for match in _pages(search, _SERIES):
                uids = self.study or _value(match, _STUDY), _value(match, _SERIES)
                if all(map(is_uid, uids)):
                    yield uids
                else:
                    on_invalid("/".join(uids))

    def _of_series(self, client: DICOMwebClient, study: str, series: str) -> list[InstancePath]:
        search = _searching(client.search_for_instances, study, series)
        found = (_value(match, _SOP) for match in _pages(search, _SOP))
        return [InstancePath(self, study, series, uid) for uid in found]


@dataclass(frozen=True, slots=True)
class InstancePath:
    """One object in an archive; offers what the scanner needs of ``pathlib.Path``."""

    archive: WebArchive
    study: str
    series: str
    sop: str

    @property
    def name(self) -> str:
        """What stands for a file's name."""
        return f"{self.study}/{self.series}/{self.sop}.dcm"

    @property
    def is_valid(self) -> bool:
        """Whether the server gave it a UID."""
        return is_uid(self.sop)

    def __str__(self) -> str:
        return f"{self.archive.url}/studies/{self.study}/series/{self.series}/instances/{self.sop}"

    def read_bytes(self, max_bytes: int = MAX_FILM_BYTES) -> bytes:
        """Read the object as it is stored, counting while it comes, and again after a while where that may help.

        Raises
        ------
        OSError
            With ``strerror``; ``EFBIG`` for an answer of more than ``max_bytes``.
        """
        return patiently(lambda: self._retrieve(max_bytes))

    def _retrieve(self, max_bytes: int) -> bytes:
        session = web_session(self.archive.login)
        with session.get(str(self), headers=_AS_STORED, timeout=_TIMEOUT_S, stream=True) as response:
            _check(response.status_code)
            body = bytearray()
            for piece in response.iter_content(_PIECE_BYTES):
                body += piece
                if len(body) > max_bytes:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return _first_part(bytes(body), response.headers.get("Content-Type", ""))


def walk_archive(root: WebArchive, prefix: str, rules: Rules) -> Iterator[ImageSource]:
    """Yield the films of an archive, called ``study/series/object.dcm``.

    An object keeps its UID for ever and has no other content, so the UID tells its state (PS3.5 section 9).
    """

    def tell(answer: str) -> None:
        rules.skip(prefix + shown(answer), Reason.NO_UID)

    for instance in root.instances(tell):
        name = prefix + instance.name
        if not instance.is_valid:
            tell(instance.sop)
        elif rules.takes_file(name):
            yield ImageSource(instance, name, "dicom", etag=instance.sop)


@lru_cache(maxsize=16)
def web_session(login: tuple[str, str] | None) -> requests.Session:
    """Connections to DICOMweb servers, kept for the next request; with a token where the environment holds one.

    A search's answer is read no further than it may reach. Redirections are followed to the same server only.
    """
    import requests
    from requests.adapters import HTTPAdapter

    class OtherServerError(requests.RequestException, PermissionError):
        """A redirection that leads to another server."""

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            target = super().get_redirect_target(resp)
            if target and urlsplit(urljoin(resp.url, target))[:2] != urlsplit(resp.url)[:2]:
                raise OtherServerError(errno.EACCES, os.strerror(errno.EACCES))
            return target

    session = Session()
    session.hooks["response"] = [_read_bounded]
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=2 * _ASKED_AT_ONCE))
    session.auth = login
    token = os.environ.get(_TOKEN)
    if token and login is None:
        session.headers["Authorization"] = f"Bearer {token}"
    return session


def _read_bounded(response: requests.Response, **how: Any) -> None:
    """Read an answer that is wanted as a whole, and no more of it than a search may give."""
    if how.get("stream"):
        return
    body = bytearray()
    for piece in response.iter_content(_PIECE_BYTES):  # unpacked
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            response.close()
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    response._content = bytes(body)


def _client(archive: WebArchive) -> DICOMwebClient:
    try:
        from dicomweb_client import DICOMwebClient
    except ImportError as error:
        raise CxrscanError("extra-missing", f"{archive} needs dicomweb-client, from the extra `dicom`.") from error
    client = DICOMwebClient(archive.url, session=web_session(archive.login), timeout=_TIMEOUT_S)
    client.set_http_retry_params(retry=False)  # ``patiently`` tries again
    return client


def _searching(search: Callable[..., Any], *where: str | None, **how: Any) -> Callable[[int], list[dict[str, Any]]]:
    """A search by the place of its first match."""

    def ask(offset: int) -> list[dict[str, Any]]:
        import requests

        try:
            return list(search(*where, limit=_PAGE, offset=offset, **how))
        except requests.HTTPError as error:
            if error.response is not None:
                _check(error.response.status_code)
            raise
        except (ValueError, TypeError, RecursionError) as error:
            raise OwnWordsError(errno.EIO, "what it answers is no list in DICOM JSON") from error

    return lambda offset: patiently(lambda: ask(offset))


def _pages(search: Callable[[int], list[dict[str, Any]]], key: str) -> Iterator[dict[str, Any]]:
    """All matches, page by page, each once: servers may cut pages short, repeat matches, or know no pages."""
    seen: set[str] = set()
    offset = 0
    while found := search(offset):
        new = [match for match in found if _value(match, key) not in seen]
        seen.update(_value(match, key) for match in new)
        yield from new
        offset += len(found)
        if not new or len(found) < _LEAST_CAP:
            return


def _value(match: Any, tag: str) -> str:
    """First value of an attribute in DICOM JSON (PS3.18 annex F); empty without one, whatever a server sends."""
    attribute = match.get(tag) if isinstance(match, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _check(status: int) -> None:
    """Raise what a file system would for an HTTP status that is no success."""
    if status in {404, 410}:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if status in {401, 403}:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if status >= 300:
        raise OwnWordsError(errno.EIO, f"HTTP status {status}")


def _first_part(body: bytes, content_type: str) -> bytes:
    """The first part of a multipart message (RFC 2046 section 5.1.1); some servers send the object as it is.

    Raises
    ------
    OSError
        The message has no end: the connection broke.
    """
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    if found is None:
        return body
    mark = b"--" + found[1].encode()
    _, _, after = body.partition(mark)
    _, gap, content = after.partition(b"\r\n\r\n")
    content, end, _ = content.partition(b"\r\n" + mark)
    if not (gap and end):
        raise OwnWordsError(errno.EIO, "the answer ends early")
    return content


def _filters(query: str, shown: str) -> dict[str, Any]:
    """What an address asks for behind its question mark."""
    asked: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "StudyDate" and _DATES.fullmatch(value):
            asked["dates"] = value
        elif name in {"Modality", "ModalitiesInStudy"} and all(map(_MODALITY.fullmatch, value.split(","))):
            asked["modalities"] = tuple(value.split(","))
        elif name == "StudyInstanceUID" and is_uid(value):
            asked["study"] = value
        else:
            known = "StudyDate=FROM-TO, Modality=CR,DX and StudyInstanceUID=UID"
            raise RunFolderError("place-unreadable", f"{shown}: an address of films in a PACS takes {known} only.")
    return asked
