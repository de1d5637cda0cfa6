"""Output files appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scanner.errors import RunFolderError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to, and move it into place when all went well.

    Raises
    ------
    RunFolderError
        ``output-unwritable``; the half-written file is deleted and an earlier ``path`` stays as it was.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_text(path: Path, encoding: str = "utf-8") -> Iterator[TextIO]:
    r"""Open a temporary file beside ``path`` as ``replacing`` does; lines end as they are written.

    File names that are no valid UTF-8 (they carry surrogates) are written with backslashes, ``\udce9``.
    """
    with replacing(path) as part, part.open("w", encoding=encoding, errors="backslashreplace", newline="") as stream:
        yield stream
