"""User data in the forms that it comes in."""

from __future__ import annotations

import base64
import gzip
import json
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from runctl.localcloud.machines.keeper import first_boot, user_data

SCRIPT = b"#!/bin/sh\necho hello\n"


def test_none_is_nothing() -> None:
    found = user_data.parse(None)
    assert (found.scripts, found.config, found.ignored) == ([], {}, [])
    assert user_data.parse(_encoded(b" \n")).ignored == []


@pytest.mark.parametrize("raw", [SCRIPT, gzip.compress(SCRIPT, mtime=0)])
def test_a_script_is_taken_as_it_is(raw: bytes) -> None:
    assert user_data.parse(_encoded(raw)).scripts == [SCRIPT]


def test_the_parts_of_a_message_are_taken_in_order() -> None:
    message = MIMEMultipart()
    message.attach(MIMEText("#!/bin/sh\necho 1\n", "x-shellscript"))
    message.attach(MIMEText('#cloud-config\n{"runcmd": ["x"]}', "plain"))
    message.attach(MIMEText("#!/bin/sh\necho 2\n", "x-shellscript"))
    message.attach(MIMEText("what", "x-other"))
    found = user_data.parse(_encoded(message.as_bytes()))
    assert found.scripts == [b"#!/bin/sh\necho 1\n", b"#!/bin/sh\necho 2\n"]
    assert found.config == {"runcmd": ["x"]}
    assert found.ignored == ["a part of type text/x-other"]


def test_a_cloud_config_in_json_is_understood_and_another_is_named() -> None:
    config = {"ssh_authorized_keys": ["key"], "write_files": []}
    raw = b"#cloud-config\n# a comment\n" + json.dumps(config, indent=1).encode()
    assert user_data.parse(_encoded(raw)).config == config
    found = user_data.parse(_encoded(b"#cloud-config\nruncmd:\n  - x\n"))
    assert found.config == {}
    assert found.ignored == ["cloud-config that is not written as JSON"]


@pytest.mark.parametrize("raw", [b"what is this", b"\x7fELF\x00\xff"])
def test_what_is_not_known_is_named(raw: bytes) -> None:
    assert user_data.parse(_encoded(raw)).ignored == ["a part of type unknown"]


def test_what_cannot_be_decoded_is_named() -> None:
    found = user_data.parse(_encoded(b"\x1f\x8bnot gzip"))
    assert "cannot be decoded" in found.ignored[0]


def test_words_of_a_command_reach_a_shell_as_they_are() -> None:
    assert first_boot.shell_line(["echo", "it's", "$HOME"]) == "'echo' 'it'\\''s' '$HOME'"
    assert first_boot.shell_line("echo $HOME") == "echo $HOME"


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
