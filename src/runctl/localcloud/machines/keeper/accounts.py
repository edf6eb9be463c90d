"""The users of an instance: what /etc/passwd and its like say."""

from __future__ import annotations

LOGIN_UID = 1000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM_UIDS = 1000
_NOBODY = 65534


def passwd(host: str, login: str) -> str:
    """Return the host's accounts of the system, and the login user."""
    kept = [line for line in host.splitlines() if _is_system(line) and not _is(line, login)]
    return "\n".join([*kept, f"{login}:x:{LOGIN_UID}:{LOGIN_UID}::/home/{login}:/bin/bash", ""])


def group(host: str, login: str, *, has_users: bool) -> str:
    """Return the host's groups of the system without their members, and the login user's.

    With a single real user there is no group for terminals: sshd would want to give them to it.
    """
    dropped = (login,) if has_users else (login, "tty")
    lines = [line for line in host.splitlines() if _is_system(line)]
    lines = [line for line in lines if line.partition(":")[0] not in dropped]
    kept = [":".join([*line.split(":")[:3], ""]) for line in lines]
    return "\n".join([*kept, f"{login}:x:{LOGIN_UID}:", ""])


def shadow(accounts: str) -> str:
    """Return no password for anybody; ``*`` and not ``!``, which sshd without PAM refuses."""
    names = [line.split(":")[0] for line in accounts.splitlines() if line]
    return "".join(f"{name}:*:19000:0:99999:7:::\n" for name in names)


def gshadow(groups: str) -> str:
    """Return no password for any group."""
    names = [line.split(":")[0] for line in groups.splitlines() if line]
    return "".join(f"{name}:*::\n" for name in names)


def find(accounts: str, name: str) -> tuple[int, int, str, str]:
    """Return uid, gid, home and shell; raise ``KeyError`` for a user that is not there."""
    for line in accounts.splitlines():
        if _is(line, name):
            _, _, uid, gid, _, home, shell = line.split(":")
            return int(uid), int(gid), home, shell
    raise KeyError(name)


def groups_of(groups: str, name: str, gid: int) -> list[int]:
    """Return the groups that a user is in, its own first."""
    found = [gid]
    for line in groups.splitlines():
        fields = line.split(":")
        if len(fields) == 4 and name in fields[3].split(","):
            found.append(int(fields[2]))
    return found


def _is(line: str, name: str) -> bool:
    return line.startswith(f"{name}:")


def _is_system(line: str) -> bool:
    fields = line.split(":")
    if len(fields) < 4 or not fields[2].isdigit():
        return False
    return int(fields[2]) < _SYSTEM_UIDS or int(fields[2]) == _NOBODY
