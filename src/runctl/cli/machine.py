"""What this machine refuses: access, room, a way to a file. None of it is a fault of runctl."""

from __future__ import annotations

import errno
import os
import shlex

from runctl.errors import CapacityError, ConfigError, IntegrityError, RunctlError

_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
_ROOM = (errno.ENOSPC, errno.EDQUOT)


def blame_machine(error: OSError) -> RunctlError | None:
    """Return the error that the user can act on; None where the fault may be our own."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    what = f"{path or 'a file'}: {error.strerror}"
    folder = shlex.quote(os.path.dirname(path) or ".") if path else "."
    if error.errno in _ACCESS:
        hint = f"ls -ld {folder}; XDG_DATA_HOME and XDG_STATE_HOME name other places for records"
        found: RunctlError = ConfigError(f"no access to {what}", hint=hint, path=path)
    elif error.errno in _ROOM:
        found = CapacityError(f"no room for {what}", hint=f"df -h {folder}", path=path)
    elif error.errno == errno.ELOOP:
        found = IntegrityError(f"a loop of links at {what}", hint=f"ls -l {folder}", path=path)
    else:
        return None
    found.__cause__ = error
    return found
