"""What is left for the next boot, and for how long an attempt has lived across one."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from runctl.agent import reaper, reboot
from runctl.agent.plan import Plan
from runctl.agent.reaper.records import boot_id

ECHO = "import os, sys; print(os.environ['NAME'], sys.stdin.read())"


ORDER = {"plan": {"instance": "i-1"}}


def make_plan(root: Path, attempt: int = 1) -> Plan:
    return Plan(
        run_id="run", attempt=attempt, instance="i-1", store="s3://b/p", instance_root=str(root),
        base_python="python3", is_taken_up=True,
    )  # fmt: skip


def test_an_order_is_given_again_without_its_secrets(tmp_path: Path) -> None:
    asked = {"secrets": {"TOKEN": "abc"}, "queue": False, **ORDER}
    order = json.dumps(asked).encode()
    reboot.remember(make_plan(tmp_path), [sys.executable, "-c", ECHO], order, {"NAME": "me"})
    [path] = (tmp_path / "boot").iterdir()
    assert b"abc" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [answer] = reboot.take_up(tmp_path)
    told = json.loads(answer.removeprefix("run-1: me "))
    assert told == {"secrets": None, "queue": True, **ORDER}


def test_what_is_over_is_left_alone(tmp_path: Path) -> None:
    for attempt in (1, 2):
        reboot.remember(make_plan(tmp_path, attempt), ["true"], json.dumps(ORDER).encode(), {})
    reboot.forget(make_plan(tmp_path, 1))
    assert [answer.split(":")[0] for answer in reboot.take_up(tmp_path)] == ["run-2"]
    (tmp_path / "boot/run-2.json").write_bytes(b"")
    assert reboot.take_up(tmp_path) == []


def test_what_an_image_has_carried_to_another_instance_is_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = tmp_path / "instance-id"
    monkeypatch.setattr(reboot, "IDENTITY", identity)
    reboot.remember(make_plan(tmp_path), ["true"], json.dumps(ORDER).encode(), {})
    identity.write_text("i-1\n")
    assert len(reboot.take_up(tmp_path)) == 1
    identity.write_text("i-2\n")
    assert reboot.take_up(tmp_path) == []
    assert not list((tmp_path / "boot").iterdir())


def test_the_age_counts_across_a_reboot(tmp_path: Path) -> None:
    def write(boot: str) -> None:
        born = {"monotonic": time.monotonic() - 5, "at": time.time() - 900, "boot": boot}
        reaper.write_json(os.fspath(tmp_path / "birth.json"), born)

    write(boot_id())
    assert 5 <= reaper.read_age_s(str(tmp_path)) < 60
    write("another")
    assert 900 <= reaper.read_age_s(str(tmp_path)) < 960
