"""Mounts and unmounts a volume, as root; a program of its own, for any Python from 3.9 on.

``mount VOLUME FOLDER rw|ro LABEL UID GID``: mount it there. One that is blank gets a file system,
which belongs to UID; what holds anything else than a file system is left alone.
``unmount VOLUME``: write all down and unmount it.
``users VOLUME``: say where it is mounted, and which processes use it.
``grow VOLUME``: make its file system as large as the disk.

The answer is one JSON object: of the mount, or ``{"error": …}`` with status 3.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import stat
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Mount = tuple[str, str, str, bool]
    Answer = dict[str, object]

BY_ID = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
LOCK = "/run/runctl-volumes.lock"
TABLE = "/etc/fstab"
MARK = "x-runctl.volume="
"""An option of fstab that mount passes over."""
SAFE = ("ext2", "ext3", "ext4", "xfs")
APPEARS_S, LETS_GO_S = 30.0, 10.0
MIB, SPOTS, SPOT_BYTES = 1 << 20, 256, 1 << 16
REFUSED = 3


class Refused(Exception):
    """Nothing was changed; the text says why."""


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def find_node(volume_id: str, wait_s: float = APPEARS_S) -> str:
    """Return the block device of a volume; its place among the others tells nothing."""
    deadline = time.monotonic() + wait_s
    while True:
        node = _node_of(volume_id.replace("-", ""))
        if node is not None:
            return node
        if time.monotonic() > deadline:
            raise Refused(f"{volume_id} is not among the disks of this instance")
        time.sleep(0.05)


def _node_of(serial: str) -> str | None:
    if os.path.exists(BY_ID + serial):
        return os.path.realpath(BY_ID + serial)
    for path in glob.glob("/sys/class/nvme/*/serial"):
        node = f"/dev/{path.split('/')[-2]}n1"
        with open(path, encoding="ascii", errors="replace") as file:
            if file.read().strip() == serial and os.path.exists(node):
                return node
    return _node_told(serial)


def _node_told(serial: str) -> str | None:
    """Ask the disks themselves, where neither udev nor the kernel says it."""
    for node in glob.glob("/dev/nvme*n1"):
        with contextlib.suppress(OSError):
            lines = run("nvme", "id-ctrl", node).stdout.splitlines()
            told = [line.partition(":")[2].strip() for line in lines if line[:2] == "sn"]
            if told == [serial]:
                return node
    return None


def mounts() -> list[Mount]:
    """Return the device's number, source, folder, and whether it is read-only, of each mount."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.split() for line in file]
    found = []
    for fields in lines:
        dash = fields.index("-")
        options = fields[5].split(",") + fields[dash + 3].split(",")
        found.append((fields[2], fields[dash + 2], _plain(fields[4]), "ro" in options))
    return found


def _plain(path: str) -> str:
    """Undo the octal escapes of blanks and the like."""
    first, *rest = path.split("\\")
    return first + "".join(chr(int(one[:3], 8)) + one[3:] for one in rest)


def mounts_of(node: str) -> list[Mount]:
    found = os.stat(node)
    number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    is_block = stat.S_ISBLK(found.st_mode)
    return [one for one in mounts() if (is_block and one[0] == number) or one[1] == node]


def look(node: str) -> dict[str, str]:
    """Return what blkid finds on a disk, by name; nothing where it finds nothing."""
    done = run("blkid", "-p", "-o", "export", node)
    if done.returncode not in (0, 2):
        told = done.stderr.strip() or f"blkid ended with {done.returncode}"
        raise Refused(f"it is in doubt what {node} holds: {told}")
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def check_blank(node: str) -> None:
    """Refuse unless nothing at all is found: no signature, and only zeros in each place."""
    signs = run("wipefs", "--parsable", node)
    told = [line for line in signs.stdout.splitlines() if line and line[0] != "#"]
    if signs.returncode or told or look(node).keys() - {"DEVNAME"}:
        what = "; ".join(told) or signs.stderr.strip()
        raise Refused(f"{node} is not blank: {what}")
    descriptor = os.open(node, os.O_RDONLY | os.O_EXCL)  # EBUSY where anybody else has it
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        for start, count in _spots(size):
            if os.pread(descriptor, count, start).strip(b"\0"):
                raise Refused(f"{node} is not blank: there are bytes at {start}")
    finally:
        os.close(descriptor)


def _spots(size: int) -> list[tuple[int, int]]:
    """Return the first and the last MiB, and spots between them."""
    between = [(size * n // SPOTS // 4096 * 4096, SPOT_BYTES) for n in range(1, SPOTS)]
    return [(0, MIB), *between, (max(0, size - MIB), MIB)]


def make_file_system(node: str, uid: str, gid: str, label: str) -> None:
    """Make one on a blank disk; the lock keeps others, who take it too, from the same."""
    descriptor = os.open(node, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        check_blank(node)
        owner = f"root_owner={uid}:{gid}"
        done = run("mkfs.ext4", "-q", "-m", "0", "-L", label[:16], "-E", owner, node)
        if done.returncode:
            raise Refused(f"no file system could be made: {done.stderr.strip()}")
    finally:
        os.close(descriptor)


def mount(volume_id: str, path: str, mode: str, label: str, uid: str, gid: str) -> Answer:
    node, folder = find_node(volume_id), os.path.realpath(path)
    held = mounts_of(node)
    elsewhere = [one[2] for one in held if one[2] != folder]
    if elsewhere:
        raise Refused(f"{volume_id} is mounted at {elsewhere[0]} already")
    if held and held[-1][3] != (mode == "ro"):
        raise Refused(f"{volume_id} is mounted at {folder} already, and not {mode}")
    was_formatted = not held and is_made(node, volume_id, mode, (uid, gid, label))
    found = look(node)
    if not held:
        _mount(node, folder, mode, found)
    note(volume_id, f"UUID={found['UUID']} {folder} {found['TYPE']} {mode},nofail")
    return {
        "device": node,
        "file_system": found["TYPE"],
        "uuid": found["UUID"],
        "was_formatted": was_formatted,
        "was_mounted": bool(held),
    }


def is_made(node: str, volume_id: str, mode: str, wanted: tuple[str, str, str]) -> bool:
    """Make a file system where there is nothing; tell whether that was so."""
    found = look(node)
    kind = found.get("TYPE")
    if kind in SAFE and found.get("USAGE") == "filesystem" and found.get("UUID"):
        return False
    if kind or found.keys() - {"DEVNAME"}:
        what = kind or f"a partition table ({found.get('PTTYPE', 'unknown')})"
        raise Refused(f"{volume_id} holds {what}, and is left as it is")
    if mode == "ro":
        check_blank(node)
        raise Refused(f"{volume_id} is blank: there is nothing to be read")
    make_file_system(node, *wanted)
    return True


def _mount(node: str, folder: str, mode: str, found: dict[str, str]) -> None:
    if any(one[2] == folder for one in mounts()):
        raise Refused(f"something else is mounted at {folder} already")
    if os.path.isdir(folder) and os.listdir(folder):
        raise Refused(f"{folder} is not empty: a mount would hide what is there")
    os.makedirs(folder, exist_ok=True)
    done = run("mount", "-t", found["TYPE"], "-o", mode + ",nofail", node, folder)
    if done.returncode:
        raise Refused(f"it cannot be mounted: {done.stderr.strip()}")


def note(volume_id: str, entry: str | None) -> None:
    """Let it be mounted at each boot; without an entry, not any more."""
    try:
        with open(TABLE, encoding="utf-8") as file:
            before = file.read().splitlines()
    except FileNotFoundError:
        before = []
    lines = [line for line in before if MARK + volume_id not in line.replace(",", " ").split()]
    lines += [f"{entry},{MARK}{volume_id} 0 2"] if entry else []
    if lines == before:
        return
    with open(TABLE + ".runctl", "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
    os.chmod(TABLE + ".runctl", 0o644)
    os.replace(TABLE + ".runctl", TABLE)
    if os.path.isdir("/run/systemd/system"):
        run("systemctl", "daemon-reload")  # else it unmounts what its units know otherwise


def unmount(volume_id: str, *_: str) -> Answer:
    node = find_node(volume_id, 0)
    os.sync()
    for one in reversed(mounts_of(node)):
        _unmount(volume_id, one[2])
    note(volume_id, None)
    return {"device": node}


def _unmount(volume_id: str, folder: str) -> None:
    deadline = time.monotonic() + LETS_GO_S
    while True:
        done = run("umount", folder)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            who = ", ".join(holders(folder)) or done.stderr.strip()
            raise Refused(f"{volume_id} is in use at {folder}: {who}")
        time.sleep(0.2)


def users(volume_id: str, *_: str) -> Answer:
    folders = [one[2] for one in mounts_of(find_node(volume_id, 0))]
    return {"mounts": folders, "users": [one for place in folders for one in holders(place)]}


def grow(volume_id: str, *_: str) -> Answer:
    """Where it cannot be done, the answer says why; the disk is larger all the same."""
    node = find_node(volume_id, 0)
    kind, held = look(node).get("TYPE", ""), mounts_of(node)
    if kind in ("ext2", "ext3", "ext4"):
        if not held:
            run("e2fsck", "-f", "-p", node)  # what it could not mend, the next one refuses
        done = run("resize2fs", node)
    elif kind == "xfs" and held:
        done = run("xfs_growfs", held[0][2])
    else:
        return {"problem": f"{volume_id} has no file system that is mounted"}
    told = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    return {"problem": told[0] if told else None}


def holders(folder: str) -> list[str]:
    """Return the processes that have a file of a mount open, as ``PID NAME``."""
    device, found = os.stat(folder).st_dev, []
    for process in glob.glob("/proc/[0-9]*"):
        places = [*glob.glob(process + "/fd/*"), process + "/cwd", process + "/root"]
        with contextlib.suppress(OSError):
            if any(_is_on(device, place) for place in places):
                with open(process + "/comm", encoding="utf-8") as file:
                    found.append(f"{process[6:]} {file.read().strip()}")
    return found


def _is_on(device: int, place: str) -> bool:
    try:
        return os.stat(place).st_dev == device
    except OSError:
        return False


def main(argv: list[str]) -> int:
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    verbs: dict[str, Callable[..., Answer]] = {
        "mount": mount,
        "unmount": unmount,
        "users": users,
        "grow": grow,
    }
    answer: Answer
    with open(LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time on this instance
        try:
            answer, status = verbs[argv[0]](*argv[1:]), 0
        except (Refused, OSError) as error:
            answer, status = {"error": str(error)}, REFUSED
    sys.stdout.write(json.dumps(answer))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
