"""One look at a machine, as JSON: processor, memory, disks, GPUs, networks, processes.

Its text is sent to instances and run by whatever Python is there, from 3.9 on: it needs the
standard library alone, and nothing of runctl. Sizes are in bytes, rates in bytes a second;
percentages are of the machine, those of processes of one core.

python3 - [all] < machine.py
"""

from __future__ import annotations

import csv
import json
import os
import pwd
import re
import subprocess
import sys
import threading
import time

TYPE_CHECKING = False  # typing is one more import on a machine that is busy
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Fields = dict[str, Any]
    Sample = dict[str, dict[str, tuple[int, ...]]]

PAUSE_S = 0.4
PATIENCE_S = 8.0
MOUNT_PATIENCE_S = 2.0
SECTOR_BYTES = 512
LONGEST_COMMAND = 2000
_NETWORK_KINDS = ("nfs", "nfs4", "lustre", "cifs", "smb3", "ceph", "glusterfs", "beegfs", "zfs")
_IMAGES = ("squashfs", "iso9660", "erofs")
_FOLDER = re.compile(r"/attempts/([^/]+)/[0-9]+(?:/|$)")
_VERBS = (["exec"], ["start"], ["probe"])
_REAPER = "/agent/reaper/__main__.py"
_GPU = "index,uuid,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw"
_APPS = "pid,used_memory"


def look(
    root: str = "", *, is_all: bool = False, pause: Callable[[], object] | None = None
) -> Fields:
    """Look twice, and return what is there and how it has changed in between.

    ``root`` has ``/proc`` and ``/sys`` below it; ``is_all``: the processes of others, too.
    """
    queries = {name: _ask_gpus(name) for name in ("gpu", "compute-apps")}
    before, began = _sample(root), time.monotonic()
    (pause or (lambda: time.sleep(PAUSE_S)))()
    after, seconds = _sample(root), time.monotonic() - began
    gpus, used, problem = _read_gpus(queries["gpu"], queries["compute-apps"])
    processes = list(_processes(root, before, after, seconds, is_all, used))
    training = [one["pid"] for one in processes if one["role"] == "training"]
    return {
        "host": os.uname().nodename,
        "uptime_s": float((_read(root, "/proc/uptime") or "0").split()[0]),
        "processor": _processor(root, before["cpu"], after["cpu"]),
        "memory": _memory(root, str(training[0]) if training else "self"),
        "disks": list(_disks(root, before["disks"], after["disks"], seconds)),
        "gpus": gpus,
        "gpu_problem": problem,
        "networks": [
            {
                "name": name,
                "received_bytes_per_s": _rate(before["networks"].get(name), now, 0, seconds),
                "sent_bytes_per_s": _rate(before["networks"].get(name), now, 1, seconds),
            }
            for name, now in after["networks"].items()
        ],
        "processes": processes,
    }


def _rate(
    before: tuple[int, ...] | None, after: tuple[int, ...] | None, which: int, seconds: float
) -> float | None:
    if before is None or after is None or seconds <= 0:
        return None
    return round(max(0, after[which] - before[which]) / seconds, 1)


def _read(root: str, path: str) -> str | None:
    try:
        with open(root + path, "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")
    except OSError:
        return None  # it is not there, not ours to read, or has just ended


# -- what is looked at twice


def _sample(root: str) -> Sample:
    return {
        "cpu": dict(_cpu_times(root)),
        "disks": dict(_disk_counts(root)),
        "networks": dict(_network_counts(root)),
        "processes": dict(_process_ticks(root)),
    }


def _cpu_times(root: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in (_read(root, "/proc/stat") or "").splitlines():
        name, *times = line.split()
        if name.startswith("cpu"):
            yield name, (*map(int, times[:8]), *[0] * (8 - len(times)))


def _disk_counts(root: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in (_read(root, "/proc/diskstats") or "").splitlines():
        words = line.split()
        if len(words) > 9:
            counts = (int(words[5]) * SECTOR_BYTES, int(words[9]) * SECTOR_BYTES)
            yield f"{words[0]}:{words[1]}", counts


def _network_counts(root: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in (_read(root, "/proc/net/dev") or "").splitlines():
        name, colon, rest = line.rpartition(":")
        words = rest.split()
        if colon and len(words) > 8 and name.strip() != "lo":
            yield name.strip(), (int(words[0]), int(words[8]))


def _process_ticks(root: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for pid in _pids(root):
        fields = _stat(root, pid)
        if fields is not None:
            yield pid, (int(fields[11]) + int(fields[12]),)


def _pids(root: str) -> list[str]:
    return sorted(filter(str.isdigit, os.listdir(f"{root}/proc")), key=int)


def _stat(root: str, pid: str) -> list[str] | None:
    """Return the fields after the name, which may hold spaces and parentheses."""
    fields = (_read(root, f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
    return fields if len(fields) > 21 else None


# -- processor and memory


def _processor(
    root: str, before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]
) -> Fields:
    spent = {
        name: [max(0, now - then) for now, then in _pairs(after[name], before[name])]
        for name in after
        if name in before
    }
    total = spent.pop("cpu", [0] * 8)
    load = (_read(root, "/proc/loadavg") or "0 0 0").split()[:3]
    return {
        "count": len(spent),
        "percent": _busy(total),
        "iowait_percent": _share(total, 4),
        "steal_percent": _share(total, 7),
        "load": [float(one) for one in load],
        "per_core_percent": [_busy(one) for one in spent.values()],
    }


def _pairs(left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    return [(left[at], right[at]) for at in range(min(len(left), len(right)))]


def _busy(times: Sequence[int]) -> float:
    return round(max(0.0, 100.0 - _share(times, 3) - _share(times, 4)), 1) if sum(times) else 0.0


def _share(times: Sequence[int], which: int) -> float:
    return round(100.0 * times[which] / (sum(times) or 1), 1)


def _memory(root: str, pid: str) -> Fields:
    """Tell of the machine's memory, and of the control group's of a process, if it is limited."""
    lines = (_read(root, "/proc/meminfo") or "").splitlines()
    found = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    size = {name: int(words[0]) * 1024 for name, words in found.items() if words}
    total = size.get("MemTotal", 0)
    available = size.get("MemAvailable", size.get("MemFree", 0))
    limits = [one for one in _limits(root, pid) if one[0] < total]
    limit, used = min(limits) if limits else (None, None)
    return {
        "total_bytes": total,
        "used_bytes": total - available,
        "available_bytes": available,
        "swap_total_bytes": size.get("SwapTotal", 0),
        "swap_used_bytes": size.get("SwapTotal", 0) - size.get("SwapFree", 0),
        "limit_bytes": limit,
        "limit_used_bytes": used,
    }


def _limits(root: str, pid: str) -> Iterator[tuple[int, int]]:
    """Yield the limit and the use of each control group that the process is in."""
    for line in (_read(root, f"/proc/{pid}/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            names = ("/sys/fs/cgroup", "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            names = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        while True:
            path = path.rstrip("/")
            most, now = (_read(root, f"{names[0]}{path}/{name}") or "" for name in names[1:])
            if most.strip().isdigit() and now.strip().isdigit():
                yield int(most), int(now)
            if not path:
                break
            path = path.rpartition("/")[0]


# -- disks


def _disks(
    root: str, before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]], seconds: float
) -> Iterator[Fields]:
    seen: set[int] = set()
    for device, mount, kind in sorted(_mounts(root), key=lambda one: len(one[1])):
        size = _measured(root + mount)
        if size is not None and (size["device"] in seen or not size["is_folder"]):
            continue  # bound to another place, or a file of a container's such as /etc/hosts
        number = ""
        if size is not None:
            seen.add(size["device"])
            number = f"{os.major(size['device'])}:{os.minor(size['device'])}"
        then, now = before.get(number), after.get(number)
        yield {
            "device": device,
            "mount": mount,
            "kind": kind,
            "total_bytes": size and size["total"],
            "used_bytes": size and size["used"],
            "free_bytes": size and size["free"],
            "read_bytes_per_s": _rate(then, now, 0, seconds),
            "written_bytes_per_s": _rate(then, now, 1, seconds),
        }


def _mounts(root: str) -> Iterator[tuple[str, str, str]]:
    """Yield device, place and kind of what holds files for longer than the machine is up."""
    for line in (_read(root, "/proc/mounts") or "").splitlines():
        words = [_plain(word) for word in line.split(" ")]
        if len(words) < 3:
            continue
        device, mount, kind = words[:3]
        is_far = kind in _NETWORK_KINDS or kind == "fuse" or kind.startswith("fuse.")
        if mount == "/" or is_far or (device.startswith("/dev/") and kind not in _IMAGES):
            yield device, mount, kind


def _plain(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def _measured(path: str) -> Fields | None:
    """Return the size of a file system; None if it does not answer, as NFS without a server."""
    found: Fields = {}

    def measure() -> None:
        try:
            size, place = os.statvfs(path), os.stat(path)
        except OSError:
            return
        found.update(
            device=place.st_dev,
            is_folder=os.path.isdir(path),
            total=size.f_blocks * size.f_frsize,
            used=(size.f_blocks - size.f_bfree) * size.f_frsize,
            free=size.f_bavail * size.f_frsize,
        )

    return found if _is_done(measure, MOUNT_PATIENCE_S) and found else None


def _is_done(work: Callable[[], None], seconds: float) -> bool:
    """Tell whether something is done in time; what never comes to its end is left behind."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


# -- GPUs


def _ask_gpus(what: str) -> subprocess.Popen[str] | None:
    fields = _GPU if what == "gpu" else _APPS
    argv = ["nvidia-smi", f"--query-{what}={fields}", "--format=csv,noheader,nounits"]
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            errors="backslashreplace",
        )
    except OSError:
        return None  # there is no such program where there is no such GPU


def _read_gpus(
    gpus: subprocess.Popen[str] | None, apps: subprocess.Popen[str] | None
) -> tuple[list[Fields], dict[str, int], str | None]:
    """Return the GPUs, the memory that each process has on them, and what went wrong."""
    rows, problem = _rows(gpus)
    used: dict[str, int] = {}
    for row in _rows(apps)[0]:
        if len(row) == 2 and row[0].isdigit():
            used[row[0]] = used.get(row[0], 0) + (_mebibytes(row[1]) or 0)
    return [_gpu(row) for row in rows if len(row) == 8], used, problem


def _rows(asked: subprocess.Popen[str] | None) -> tuple[list[list[str]], str | None]:
    if asked is None:
        return [], None
    told: list[str] = []
    # A driver that hangs cannot be killed, nor waited for.
    if not _is_done(lambda: told.append(asked.communicate()[0]), PATIENCE_S):
        asked.kill()
        return [], "nvidia-smi does not answer"
    if asked.returncode != 0:
        return [], " ".join(told[0].split()) or f"nvidia-smi ended with status {asked.returncode}"
    return list(csv.reader(told[0].splitlines(), skipinitialspace=True)), None


def _gpu(row: list[str]) -> Fields:
    return {
        "index": int(row[0]) if row[0].isdigit() else 0,
        "name": row[2],
        "percent": _number(row[3]),
        "memory_used_bytes": _mebibytes(row[4]),
        "memory_total_bytes": _mebibytes(row[5]),
        "celsius": _number(row[6]),
        "watts": _number(row[7]),
    }


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # such as [N/A]


def _mebibytes(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number) << 20


# -- processes


def _processes(
    root: str, before: Sample, after: Sample, seconds: float, is_all: bool, on_gpu: dict[str, int]
) -> Iterator[Fields]:
    table: dict[str, Fields] = {}
    for pid in after["processes"]:
        found = _process(root, pid)
        if found is not None:
            ticks = after["processes"][pid][0] - before["processes"].get(pid, (0,))[0]
            share = ticks / os.sysconf("SC_CLK_TCK") / seconds if seconds > 0 else 0.0
            found["cpu_percent"] = round(max(0.0, 100 * share), 1)
            found["gpu_memory_bytes"] = on_gpu.get(pid)
            table[pid] = found
    _tell_runs(table)
    shown = {pid: one for pid, one in table.items() if is_all or one["run"] or one["role"]}
    for pid, depth in _in_order(shown):
        yield {**shown[pid], "depth": depth}


def _process(root: str, pid: str) -> Fields | None:
    fields, place = _stat(root, pid), f"{root}/proc/{pid}"
    if fields is None:
        return None
    words = (_read(root, f"/proc/{pid}/cmdline") or "")[:LONGEST_COMMAND].split("\0")
    words = words[:-1] if words[-1] == "" else words
    if not any(words):
        if "2" in (pid, fields[1]):
            return None  # the kernel's own
        name = (_read(root, f"/proc/{pid}/stat") or "").partition("(")[2].rpartition(")")[0]
        words = [f"[{name}]"]
    user = _user(place)
    if user is None:
        return None
    return {
        "pid": int(pid),
        "parent_pid": int(fields[1]),
        "user": user,
        "role": _role(words),
        "run": _run(" ".join(words)) if _role(words) == "agent" else _run(_folder(place)),
        "resident_bytes": int(fields[21]) * os.sysconf("SC_PAGESIZE"),
        "command": words,
    }


def _user(place: str) -> str | None:
    try:
        number = os.stat(place).st_uid
    except OSError:
        return None  # it has just ended
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _folder(place: str) -> str:
    try:
        return os.readlink(f"{place}/cwd")
    except OSError:
        return ""  # another user's


def _run(text: str) -> str | None:
    found = _FOLDER.search(text)
    return found[1] if found else None


def _role(words: list[str]) -> str | None:
    if any(word.endswith(_REAPER) for word in words) and "start" in words:
        return "reaper"
    at = words.index("runctl.agent") if "runctl.agent" in words else 0
    is_agent = at > 0 and words[at - 1] == "-m" and words[at + 1 : at + 2] not in _VERBS
    return "agent" if is_agent else None


def _tell_runs(table: dict[str, Fields]) -> None:
    """Name the training among the children of each reaper, and the run of all below it."""
    children = _children(table)
    for pid, one in table.items():
        if one["role"] != "reaper":
            continue
        below = list(_below(pid, children))
        runs = [table[each]["run"] for each in below if table[each]["run"]]
        for each in (pid, *below):
            table[each]["run"] = table[each]["run"] or (runs[0] if runs else None)
        others = [each for each in children.get(pid, []) if table[each]["role"] is None]
        for each in others[:1]:
            table[each]["role"] = "training"


def _children(table: dict[str, Fields]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pid, one in table.items():
        found.setdefault(str(one["parent_pid"]), []).append(pid)
    return found


def _below(pid: str, children: dict[str, list[str]]) -> Iterator[str]:
    waiting = list(children.get(pid, []))
    while waiting:
        each = waiting.pop(0)
        yield each
        waiting += children.get(each, [])


def _in_order(table: dict[str, Fields]) -> Iterator[tuple[str, int]]:
    """Yield each process below its parent, and how deep it is."""
    children = _children(table)
    waiting = [(pid, 0) for pid in table if str(table[pid]["parent_pid"]) not in table]
    while waiting:
        pid, depth = waiting.pop(0)
        yield pid, depth
        waiting = [(each, depth + 1) for each in children.get(pid, [])] + waiting


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(is_all="all" in sys.argv[1:])) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a thread that waits for a file system would be waited for
