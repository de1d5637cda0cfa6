"""Bytes from web servers, which may say and send anything: answers are counted while they are read.

Answers are never unpacked by the client library; what comes packed in spite of our asking is unpacked here, as far
as it may reach. Redirections are followed to the same server only.
"""

from __future__ import annotations

import errno
import os
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsspec.implementations.http import HTTPFileSystem

#: A listing, or whatever else the driver asks for by itself.
_MAX_ANSWER_BYTES = 32 << 20
_PIECE_BYTES = 1 << 16
_IDENTITY = {"Accept-Encoding": "identity"}


def driver_options() -> dict[str, Any]:
    """Options of fsspec's driver for web servers."""
    import aiohttp

    class _Response(aiohttp.ClientResponse):
        """An answer that is read no further than a listing may reach."""

        async def read(self) -> bytes:
            if self._body is None:
                body = bytearray()
                async for piece in self.content.iter_chunked(_PIECE_BYTES):
                    body += piece
                    if len(body) > _MAX_ANSWER_BYTES:
                        self.close()
                        raise _too_large()
                self._body = _unpacked(bytes(body), self.headers.get("Content-Encoding", ""), _MAX_ANSWER_BYTES)
            return await super().read()

    async def refuse_other_servers(session: Any, context: Any, told: Any) -> None:
        target = told.url.join(told.response.headers.get("Location") and _url(told.response.headers["Location"]))
        if (target.host, target.port) != (told.url.host, told.url.port):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    watch = aiohttp.TraceConfig()
    watch.on_request_redirect.append(refuse_other_servers)
    session = {"response_class": _Response, "auto_decompress": False, "trace_configs": [watch], "headers": _IDENTITY}
    return {"client_kwargs": session}


def read_web(system: HTTPFileSystem, address: str, max_bytes: int, *, only_head: bool = False) -> bytes:
    """Bytes of a file on a web server.

    Parameters
    ----------
    max_bytes
        No more is read.
    only_head
        Whether the first bytes suffice.

    Raises
    ------
    OSError
        ``EFBIG`` for a larger file, unless ``only_head``.
    """
    from fsspec.asyn import sync

    async def read() -> bytes:
        session = await system.set_session()
        headers = {"Range": f"bytes=0-{max_bytes - 1}"} if only_head else {}
        async with session.get(system.encode_url(address), headers=headers) as answer:
            system._raise_not_found_for_status(answer, address)
            body = bytearray()
            async for piece in answer.content.iter_chunked(_PIECE_BYTES):
                body += piece
                if len(body) > max_bytes:
                    answer.close()
                    if only_head:
                        break
                    raise _too_large()
            if only_head:
                return bytes(body[:max_bytes])
            return _unpacked(bytes(body), answer.headers.get("Content-Encoding", ""), max_bytes)

    return bytes(sync(system.loop, read))


def _unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either header
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from None
    if len(unpacked) > max_bytes:
        raise _too_large()
    return unpacked


def _too_large() -> OSError:
    return OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def _url(location: str) -> Any:
    from yarl import URL

    return URL(location)
