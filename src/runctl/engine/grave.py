"""Deletes a checkpoint of a folder: by a rename first, so that half of one never has its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from runctl.errors import IntegrityError
from runctl.store.files import Signature, sign

PREFIX = ".runctl-deleted-"
CHANGED = "it changed while it was looked at"


class Grave:
    """Hidden names in one folder, under which things are on their way out."""

    def __init__(self, folder: Path, chance: Callable[[int], bytes]) -> None:
        self._folder = folder
        self._chance = chance

    def bury(self, path: Path, signature: Signature) -> str | None:
        """Delete what still has this signature; else return why it stayed."""
        hidden = self._folder / f"{PREFIX}{self._chance(8).hex()}"
        try:
            if path.is_symlink() or sign(path) != signature:
                return CHANGED
            path.rename(hidden)
            # Nobody can open it by its name any more: what is seen now is what is deleted.
            if sign(hidden) != signature:
                return self._restore(hidden, path)
            _delete(hidden)
        except IntegrityError:
            return CHANGED
        except FileNotFoundError:
            return None  # somebody else has deleted it
        except OSError as error:
            return f"it cannot be deleted: {error.strerror}"
        return None

    def clear(self) -> None:
        """Finish what a cleanup that was killed has begun."""
        for path in self._folder.glob(f"{PREFIX}*"):
            try:
                _delete(path)
            except OSError:
                continue  # another cleanup is at it, or may do what we may not

    def _restore(self, hidden: Path, path: Path) -> str:
        if not os.path.lexists(path):
            hidden.rename(path)
        return CHANGED


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
