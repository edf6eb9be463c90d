"""The end of a cloud: its machines, all that they have on the host, its folder."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import msgspec

from runctl.localcloud.lock import FolderLock
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.probe import open_for_purge, sweep_trials
from runctl.localcloud.machines.spec import CloudPlace
from runctl.localcloud.place import STAMP, FolderRefused, check_folder, read_stamp


def purge(folder: Path) -> int:
    """Remove a cloud that is not being served; tell how many machines it had."""
    try:
        count = _purge(folder) if folder.exists() else 0
    except BlockingIOError:
        return _fail("running", f"a process serves {folder}")
    except (OSError, MachineError) as error:
        return _fail("purge", str(error))
    except (FolderRefused, msgspec.MsgspecError) as error:
        return _fail("folder", f"{folder} is no local cloud's: {error}")
    sys.stdout.write(json.dumps({"machines": count}) + "\n")
    return 0


def _purge(folder: Path) -> int:
    lock = FolderLock(folder)
    if not lock.take():
        raise BlockingIOError
    try:
        check_folder(folder)
        sweep_trials(str(folder))
        count = _purge_machines(folder) if (folder / STAMP).exists() else 0
        shutil.rmtree(folder)
        return count
    finally:
        lock.free()


def _purge_machines(folder: Path) -> int:
    stamp = read_stamp(folder)
    if not stamp.tier:
        return 0  # it has never come so far as to have any
    tier = open_for_purge(stamp.tier, stamp.users, CloudPlace(stamp.id, str(folder)))
    count = len(tier.all())
    tier.purge()
    tier.close()
    return count


def _fail(code: str, words: str) -> int:
    sys.stdout.write(json.dumps({"error": {"code": code, "message": words}}) + "\n")
    return 1
