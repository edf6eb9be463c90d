"""What the kernel offers and ``os`` does not: mounts, namespaces, capabilities."""

from __future__ import annotations

import ctypes
import os

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_NOATIME, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1024, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
NAMESPACES = {
    "user": 0x10000000,
    "net": 0x40000000,
    "mnt": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "cgroup": 0x02000000,
    "pid": 0x20000000,
}
"""By their names in /proc/PID/ns, in the order in which they are entered."""
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 24, 15, 36
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount, or change a mount; raise ``OSError`` naming the target."""
    arguments = [os.fsencode(one) for one in (source, target, kind)]
    _check(
        _LIBC.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(data) if data else None),
        f"mount {kind or 'bind'} on {target}",
    )


def bind(source: str, target: str, *, is_read_only: bool = False, is_deep: bool = False) -> None:
    """Show a file or folder at another place too."""
    mount(source, target, "", MS_BIND | (MS_REC if is_deep else 0))
    if is_read_only:
        make_read_only(target)


def make_read_only(target: str) -> None:
    """Let nothing be written through this mount."""
    mount("", target, "", MS_REMOUNT | MS_BIND | MS_RDONLY | _kept_flags(target))


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    """Take a mount away; by default at once, though it is still in use."""
    _check(_LIBC.umount2(os.fsencode(target), flags), f"unmount {target}")


def pivot_root(new_root: str) -> None:
    """Make a mount the root of this process's mount namespace; the old one is gone."""
    os.chdir(new_root)
    number = _PIVOT_ROOT[os.uname().machine]
    _check(_LIBC.syscall(number, b".", b"."), f"pivot_root {new_root}")
    unmount(".")
    os.chdir("/")


def unshare(*names: str) -> None:
    """Enter new namespaces of these kinds."""
    _check(_LIBC.unshare(sum(NAMESPACES[name] for name in names)), f"unshare {','.join(names)}")


def enter(descriptor: int, name: str) -> None:
    """Enter the namespace behind a descriptor."""
    _check(_LIBC.setns(descriptor, NAMESPACES[name]), f"enter the {name} namespace")


def set_hostname(name: str) -> None:
    """Set the host's name in this namespace."""
    raw = name.encode()
    _check(_LIBC.sethostname(raw, len(raw)), "sethostname")


def die_with_parent(number: int) -> None:
    """Be sent this signal when the parent ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of the descendants whose own parent ends."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_name(name: str) -> None:
    """Set the short name of this process."""
    _LIBC.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def power_off() -> None:
    """End this pid namespace, as if its machine were switched off."""
    _LIBC.reboot(0x4321FEDC)


def drop_capabilities(numbers: tuple[int, ...]) -> None:
    """Let no process that is executed from here on have these."""
    for number in numbers:
        _LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)


def _kept_flags(target: str) -> int:
    """Return the flags of a mount that a remount in a user namespace may not clear."""
    flags = os.statvfs(target).f_flag
    return flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | 2048)


def _check(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
