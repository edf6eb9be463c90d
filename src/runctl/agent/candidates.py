"""What in a folder may be a checkpoint, by its name alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_PARTIAL = re.compile(
    r"^\.|~$|\.(tmp|part|partial|temp|lock|incomplete)$|^tmp|\.tmp[._-]", re.IGNORECASE
)


def candidates(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what may be a checkpoint: a link is a second name for one, never one itself.

    Names that say of themselves that they are not finished are left out.
    """
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_symlink() and _PARTIAL.search(entry.name) is None:
                    yield entry
    except (FileNotFoundError, NotADirectoryError):
        return
