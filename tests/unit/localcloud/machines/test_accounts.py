"""The users of an instance, made from those of the host."""

from __future__ import annotations

import pytest

from runctl.localcloud.machines.keeper import accounts

HOST = """root:x:0:0:root:/root:/bin/zsh
sshd:x:102:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
alice:x:1000:1000:Alice:/home/alice:/bin/bash
ubuntu:x:900:900::/home/ubuntu:/bin/bash
broken line
"""
GROUPS = "root:x:0:\nsudo:x:27:alice\ntty:x:5:\nalice:x:1000:\n"


def test_people_of_the_host_are_left_out_and_the_login_user_is_there() -> None:
    users = accounts.passwd(HOST, "ubuntu")
    names = [line.split(":")[0] for line in users.splitlines()]
    assert names == ["root", "sshd", "nobody", "ubuntu"]
    assert accounts.find(users, "ubuntu") == (1000, 1000, "/home/ubuntu", "/bin/bash")


def test_a_group_has_none_of_the_host_s_members() -> None:
    groups = accounts.group(GROUPS, "ec2-user", has_users=True)
    assert groups == "root:x:0:\nsudo:x:27:\ntty:x:5:\nec2-user:x:1000:\n"
    assert "tty" not in accounts.group(GROUPS, "ec2-user", has_users=False)


def test_no_account_has_a_password_or_is_locked() -> None:
    lines = accounts.shadow(accounts.passwd(HOST, "ubuntu")).splitlines()
    assert {line.split(":")[1] for line in lines} == {"*"}
    assert accounts.gshadow(GROUPS).splitlines()[0] == "root:*::"


def test_the_groups_of_a_user_begin_with_its_own() -> None:
    assert accounts.groups_of(GROUPS, "alice", 1000) == [1000, 27]


def test_an_unknown_user_is_an_error() -> None:
    with pytest.raises(KeyError):
        accounts.find(HOST, "bob")
