"""Whether a disk locks files, which some network disks do not; SQLite takes that for a lock of another process."""

from __future__ import annotations

import errno
import sys
import tempfile
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})


def locks_files(folder: Path) -> bool:
    """Try to lock a file that is made in a folder for that; True where none can be made."""
    if sys.platform == "win32":  # where every disk does
        return True
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    return True
