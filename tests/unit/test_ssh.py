"""SSH without a connection: ssh's words and its errors, and the keys that a console shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.errors import (
    AuthError,
    ConflictError,
    IntegrityError,
    RefusedError,
    RunctlError,
    TransportError,
)
from runctl.transports.host_keys import control_folder, pin, pinned_user, read_console, read_login
from runctl.transports.ssh_errors import failure
from runctl.transports.ssh_target import SshTarget

CHANGED = """@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key for i-1 has changed and you have requested strict checking.
Host key verification failed."""
CONSOLE = """[    1.0] boots\r
-----BEGIN SSH HOST KEY KEYS-----\r
ecdsa-sha2-nistp256 AAAAE2VjZHNh= root@ip-10-0-0-1\r
<14>Nov  5 10:00:00 cloud-init: ssh-ed25519 AAAAC3Nz+/== root@ip-10-0-0-1\r
-----END SSH HOST KEY KEYS-----\r
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 LATER
-----END SSH HOST KEY KEYS-----
"""


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (CHANGED, IntegrityError),
        ("No ED25519 host key is known for x.\nHost key verification failed.", RefusedError),
        ("ec2-user@x: Permission denied (publickey).", AuthError),
        ("ssh: connect to host x port 22: Connection refused", TransportError),
        ("ssh: connect to host x port 22: Connection timed out", TransportError),
        ("Timeout, server x not responding.", TransportError),
        ("bind: Address already in use\nx: cannot listen to port: 6006", ConflictError),
        ("something else", TransportError),
    ],
)
def test_each_failure_of_ssh_is_an_error_with_a_hint(words: str, kind: type[RunctlError]) -> None:
    error = failure("x", "/known", words)
    assert type(error) is kind
    assert error.hint


def test_what_makes_a_connection_safe_stands_first(tmp_path: Path) -> None:
    loose = SshTarget("h", "u", tmp_path / "known", options=("StrictHostKeyChecking=no",))
    argv = loose.argv()
    assert argv.index("StrictHostKeyChecking=yes") < argv.index("StrictHostKeyChecking=no")
    assert argv[-2:] == ["--", "h"]


def test_a_connection_is_shared_only_where_the_path_of_a_socket_is_short(tmp_path: Path) -> None:
    short, long = Path("/tmp/s"), Path("/tmp", "x" * 60)
    known = tmp_path / "known"
    assert 'ControlPath="/tmp/s/%C"' in SshTarget("h", "u", known, control_folder=short).argv()
    assert "ControlPath=none" in SshTarget("h", "u", known, control_folder=long).argv()


def test_the_first_whole_block_of_a_console_tells_the_keys() -> None:
    expected = ["ecdsa-sha2-nistp256 AAAAE2VjZHNh=", "ssh-ed25519 AAAAC3Nz+/=="]
    assert read_console(CONSOLE) == expected
    assert read_console(CONSOLE.partition("-----END")[0]) == []


@pytest.mark.parametrize(
    ("users", "login"), [(("ubuntu",), "ubuntu"), (("ubuntu", "ubuntu"), "ubuntu"), ((), None),
                         (("ubuntu", "root"), None)],
)  # fmt: skip
def test_the_login_user_is_the_one_that_cloud_init_tells_of(
    users: tuple[str, ...], login: str | None
) -> None:
    lines = [f"ci-info: +++Authorized keys from /x/authorized_keys for user {u}+++" for u in users]
    assert read_login("\n".join(["boots", *lines, ""])) == login


def test_pinned_keys_replace_those_before(tmp_path: Path) -> None:
    path = tmp_path / "hosts" / "i-1"
    assert pinned_user(path) is None
    pin(path, "i-1", ["ssh-ed25519 A"], "ec2-user")
    pin(path, "i-1", ["ssh-ed25519 B", "ssh-rsa C"], "ubuntu")
    assert path.read_text() == "# user ubuntu\ni-1 ssh-ed25519 B\ni-1 ssh-rsa C\n"
    assert pinned_user(path) == "ubuntu"
    assert [one.name for one in path.parent.iterdir()] == ["i-1"]


def test_sockets_lie_only_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    environ, uid = {"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path.stat().st_uid
    assert control_folder(environ, uid) == tmp_path / "runctl"
    assert control_folder(environ, uid + 1) is None
    (tmp_path / "runctl").chmod(0o755)
    assert control_folder(environ, uid) is None
    assert control_folder({"XDG_RUNTIME_DIR": str(tmp_path / "absent")}, uid) is None
